package vm_test

import (
	"strconv"
	"strings"

	"github.com/ethereum/go-ethereum/common"
	"github.com/holiman/uint256"

	"github.com/agnt2/agnt2/agnt2/abi"
	"github.com/agnt2/agnt2/agnt2/vm"
)

// Operations of compositions in scripts. A constituent is c=CALLEE:CAPABILITY:WEI:TTL and any of :on0+2 (what it depends on),
// :if0=7 and :unless0=7 (guards), :loop0x3=7 (it ends a loop from 0, three iterations at most, again while it answers 7),
// :bytes100, :guard2=0.0 (a guard's raw number, constituent and branch).

func number(text string) uint64 { return must(strconv.ParseUint(text, 10, 64)) }

func (s *script) spec(text string) (x abi.ConstituentSpec) {
	f := strings.Split(text, ":")
	x.Callee, x.Capability, x.Template = s.address(f[0]), s.capability(f[1]), s.hash("template")
	x.PaymentWei, x.TtlSeconds = *must(uint256.FromDecimal(f[2])), uint32(number(f[3]))
	for _, o := range f[4:] {
		left, right, _ := strings.Cut(o, "=")
		switch {
		case strings.HasPrefix(left, "on"):
			for _, d := range strings.Split(left[2:], "+") {
				x.DependsOn |= 1 << number(d)
			}
		case strings.HasPrefix(left, "if"):
			x.Guard, x.GuardOn, x.GuardBranch = uint8(vm.GuardEquals), uint8(number(left[2:])), uint16(number(right))
		case strings.HasPrefix(left, "unless"):
			x.Guard, x.GuardOn, x.GuardBranch = uint8(vm.GuardDiffers), uint8(number(left[6:])), uint16(number(right))
		case strings.HasPrefix(left, "guard"):
			on, branch, _ := strings.Cut(right, ".")
			x.Guard, x.GuardOn, x.GuardBranch = uint8(number(left[5:])), uint8(number(on)), uint16(number(branch))
		case strings.HasPrefix(left, "loop"):
			from, most, _ := strings.Cut(left[4:], "x")
			x.LoopFrom, x.MaxIterations, x.LoopBranch = uint8(number(from)), uint8(number(most)), uint32(number(right))
		case strings.HasPrefix(left, "bytes"):
			x.LengthBytes = uint32(number(left[5:]))
		default:
			panic("constituent " + text)
		}
	}
	return x
}

func (s *script) compositionID(spec string) common.Hash {
	composition, of, isConstituent := strings.Cut(spec, "#")
	initiator, salt, _ := strings.Cut(composition[1:], "/")
	id := vm.CompositionID(s.address(initiator), s.hash(salt))
	if s.ids[id] = composition; isConstituent {
		index, iteration, _ := strings.Cut(of, ".")
		id = vm.ConstituentID(id, uint8(number(index)), uint8(number(iteration)))
		s.ids[id] = spec
	}
	return id
}

func (s *script) commitment(result common.Hash, salt string) common.Hash {
	h := vm.ResultCommitment(result, s.hash(salt))
	s.hashes[h] = s.hashes[result] + "+" + salt
	return h
}

func (s *script) composeCall(from, op string, a args) []byte {
	switch op {
	case "compose":
		salt := a.text("salt", "1")
		s.id("@" + from + "/" + salt)
		c := &abi.ComposeCall{Salt: s.hash(salt), Atomic: a.text("atomic", "yes") == "yes", TtlSeconds: uint32(a.number("ttl", 100))}
		for i, text := range a.list("c") {
			c.Constituents = append(c.Constituents, s.spec(text))
			s.id("@" + from + "/" + salt + "#" + strconv.Itoa(i) + ".1")
			s.id("@" + from + "/" + salt + "#" + strconv.Itoa(i) + ".2")
		}
		for n := a.number("copies", 0); n > 0; n-- {
			c.Constituents = append(c.Constituents, c.Constituents[0])
		}
		return c.Encode()
	case "openResult":
		return (&abi.OpenResultCall{
			Id: s.id(a.text("id", "")), ResultHash: s.hash(a.text("result", "result")), Branch: uint32(a.number("branch", 0)), Salt: s.hash(a.text("salt", "s")),
		}).Encode()
	}
	return (&abi.CancelCall{Id: s.id(a.text("id", ""))}).Encode()
}
