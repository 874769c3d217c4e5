package main

import (
	"encoding/json"
	"fmt"
	"io"
	"math/big"
	"strings"
	"time"
)

// report prints what happens, checks included, and remembers whether one failed.
type report struct {
	out    io.Writer
	json   bool
	steps  int
	step   string
	checks int
	failed []string
}

type reportLine struct {
	Step  string `json:"step"`
	Name  string `json:"name"`
	Value string `json:"value,omitempty"`
	OK    *bool  `json:"ok,omitempty"`
}

const nameWidth = 30

func (r *report) begin(title string) {
	r.steps++
	r.step = title
	if !r.json {
		fmt.Fprintf(r.out, "\n%d. %s\n", r.steps, title)
	}
}

func (r *report) row(name, format string, args ...any) {
	r.write(reportLine{Step: r.step, Name: name, Value: fmt.Sprintf(format, args...)}, "  ")
}

// check is a row that must hold.
func (r *report) check(ok bool, name, format string, args ...any) {
	r.checks++
	mark := "✓ "
	if !ok {
		mark = "✗ "
		r.failed = append(r.failed, r.step+": "+name)
	}
	r.write(reportLine{Step: r.step, Name: name, Value: fmt.Sprintf(format, args...), OK: &ok}, mark)
}

// equal checks an amount of wei.
func (r *report) equal(name string, have, want *big.Int) {
	if have.Cmp(want) == 0 {
		r.check(true, name, "%s AGNT, exact to the wei", agnt(have))
		return
	}
	r.check(false, name, "%v wei, expected %v wei (off by %v)", have, want, new(big.Int).Sub(have, want))
}

func (r *report) write(l reportLine, mark string) {
	if r.json {
		if err := json.NewEncoder(r.out).Encode(l); err != nil {
			panic(err) // every field marshals
		}
		return
	}
	pad := strings.Repeat(" ", max(1, nameWidth-len([]rune(l.Name))))
	fmt.Fprintf(r.out, "   %s%s%s%s\n", mark, l.Name, pad, l.Value)
}

// agnt formats wei as AGNT with all decimals that are not zero, at least four.
func agnt(wei *big.Int) string {
	sign := ""
	n := new(big.Int).Set(wei)
	if n.Sign() < 0 {
		sign = "-"
		n.Neg(n)
	}
	whole, rest := new(big.Int).QuoRem(n, big.NewInt(1e18), new(big.Int))
	decimals := fmt.Sprintf("%018s", rest)
	short := strings.TrimRight(decimals, "0")
	for len(short) < 4 {
		short += "0"
	}
	return fmt.Sprintf("%s%s.%s", sign, whole, short)
}

func seconds(d time.Duration) string { return fmt.Sprintf("%.2f s", d.Seconds()) }
