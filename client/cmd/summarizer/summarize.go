package main

import (
	"sort"
	"strings"
	"unicode"
)

// Words that say nothing about a text's subject.
var stopWords = func() map[string]bool {
	m := map[string]bool{}
	for _, w := range strings.Fields(`a about after all also an and any are as at be because been before being but by can
		could did do does for from had has have he her his how i if in into is it its just like may more most must no not of
		on one only or other our out over she should so some such than that the their them then there these they this those
		to up was we were what when where which while who will with would you your`) {
		m[w] = true
	}
	return m
}()

// Summarize keeps the count sentences of a text that say most about it, in the text's order. A sentence scores the
// average, over its distinct content words, of how often the whole text uses them (Luhn's method); of equal ones the
// earlier is kept.
func Summarize(text string, count int) []string {
	sentences := splitSentences(text)
	if len(sentences) <= count {
		return sentences
	}
	frequency := map[string]int{}
	words := make([][]string, len(sentences))
	for i, s := range sentences {
		words[i] = contentWords(s)
		for _, w := range words[i] {
			frequency[w]++
		}
	}
	score := make([]float64, len(sentences))
	for i, ws := range words {
		distinct := map[string]bool{}
		sum := 0
		for _, w := range ws {
			if !distinct[w] {
				distinct[w] = true
				sum += frequency[w]
			}
		}
		// A sentence of one frequent word must not beat one that says something: short ones are averaged as if longer.
		score[i] = float64(sum) / float64(max(len(distinct), 4))
	}
	order := make([]int, len(sentences))
	for i := range order {
		order[i] = i
	}
	sort.SliceStable(order, func(a, b int) bool { return score[order[a]] > score[order[b]] })
	kept := order[:count]
	sort.Ints(kept)
	out := make([]string, 0, count)
	for _, i := range kept {
		out = append(out, sentences[i])
	}
	return out
}

// splitSentences cuts after . ! or ? that white space and no lower-case letter follows, and at blank lines.
func splitSentences(text string) (out []string) {
	runes := []rune(text)
	start := 0
	cut := func(end int) {
		if s := strings.Join(strings.Fields(string(runes[start:end])), " "); s != "" {
			out = append(out, s)
		}
		start = end
	}
	for i, r := range runes {
		switch {
		case strings.ContainsRune(".!?", r) && (i+1 == len(runes) || unicode.IsSpace(runes[i+1])):
			next := i + 1
			for next < len(runes) && unicode.IsSpace(runes[next]) {
				next++
			}
			if next == len(runes) || !unicode.IsLower(runes[next]) {
				cut(i + 1)
			}
		case r == '\n' && i+1 < len(runes) && runes[i+1] == '\n':
			cut(i + 1)
		}
	}
	cut(len(runes))
	return out
}

func contentWords(sentence string) (out []string) {
	for _, w := range strings.FieldsFunc(strings.ToLower(sentence), func(r rune) bool { return !unicode.IsLetter(r) && !unicode.IsDigit(r) && r != '\'' }) {
		if len(w) > 1 && !stopWords[w] {
			out = append(out, w)
		}
	}
	return out
}
