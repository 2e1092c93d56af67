package tokenize

import (
	"fmt"
	"html"
	"strings"
	"sync"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/cases"
	"golang.org/x/text/language"
)

// CLIPContext is the number of tokens CLIP's text tower reads (docs/sources.md §7).
const CLIPContext = 77

// clipMerges is how many merges of the published file CLIP uses; the file
// holds more, from a larger vocabulary (docs/sources.md §7).
const clipMerges = 49152 - 256 - 2

const endOfWord = "</w>"

// CLIP is the byte-level BPE tokenizer of CLIP. It is safe for concurrent use.
type CLIP struct {
	ids        map[string]int32
	tokens     []string
	ranks      map[[2]string]int
	start, end int32

	mu    sync.Mutex
	cache map[string][]int32 // word → ids; cleared when it grows too large
}

// clipCacheWords bounds the memory of the word cache.
const clipCacheWords = 1 << 16

// LoadCLIP reads a merges file (bpe_simple_vocab_16e6.txt.gz, or the same
// uncompressed): a header line, then one merge "left right" per line. A file
// with fewer than CLIP's 48,894 merges gives a smaller vocabulary of the same
// form: 512 byte tokens, the merges, start and end.
func LoadCLIP(path string) (*CLIP, error) {
	lines, err := readLines(path)
	if err != nil {
		return nil, fmt.Errorf("CLIP merges: %w", err)
	}
	t, err := newCLIP(lines)
	if err != nil {
		return nil, fmt.Errorf("CLIP merges: %s: %w", path, err)
	}
	return t, nil
}

func newCLIP(lines []string) (*CLIP, error) {
	if len(lines) > 0 {
		lines = lines[1:] // header: "#version: 0.2"
	}
	if len(lines) > clipMerges {
		lines = lines[:clipMerges]
	}
	t := &CLIP{ids: map[string]int32{}, ranks: map[[2]string]int{}, cache: map[string][]int32{}}
	add := func(tok string) {
		t.ids[tok] = int32(len(t.tokens))
		t.tokens = append(t.tokens, tok)
	}
	for _, r := range byteOrder {
		add(string(r))
	}
	for _, r := range byteOrder {
		add(string(r) + endOfWord)
	}
	for i, line := range lines {
		if line == "" && i == len(lines)-1 {
			break
		}
		left, right, ok := strings.Cut(line, " ")
		if !ok || left == "" || right == "" || strings.Contains(right, " ") {
			return nil, fmt.Errorf("line %d: %q is not a merge of two tokens", i+2, line)
		}
		t.ranks[[2]string{left, right}] = i
		add(left + right)
	}
	t.start, t.end = int32(len(t.tokens)), int32(len(t.tokens)+1)
	add("<|startoftext|>")
	add("<|endoftext|>")
	return t, nil
}

// byteOrder lists the printable stand-ins of the 256 bytes in vocabulary
// order; byteRune maps a byte to its stand-in. Bytes that print stand for
// themselves, the others become U+0100 onwards.
var byteOrder, byteRune = func() (order []rune, m [256]rune) {
	printable := func(b int) bool {
		return b >= '!' && b <= '~' || b >= 0xa1 && b <= 0xac || b >= 0xae && b <= 0xff
	}
	for b := range 256 {
		if printable(b) {
			m[b] = rune(b)
			order = append(order, rune(b))
		}
	}
	next := rune(256)
	for b := range 256 {
		if !printable(b) {
			m[b] = next
			order = append(order, next)
			next++
		}
	}
	return order, m
}()

// VocabSize is the number of token ids (49,408 for the published file).
func (t *CLIP) VocabSize() int { return len(t.tokens) }

// Start is the id of the start token, 49406 for the published file.
func (t *CLIP) Start() int32 { return t.start }

// End is the id of the end token, 49407 for the published file.
func (t *CLIP) End() int32 { return t.end }

// Encode returns the ids of the text, without start and end token.
func (t *CLIP) Encode(text string) []int32 {
	var ids []int32
	for _, word := range splitCLIP(CleanCLIP(text)) {
		ids = append(ids, t.word(word)...)
	}
	return ids
}

// Tokenize returns exactly context ids: start, text, end, then zeros
// (docs/sources.md §7). A text that does not fit is an error, or with truncate is cut
// and its last id replaced by the end token.
func (t *CLIP) Tokenize(text string, context int, truncate bool) ([]int32, error) {
	ids := append([]int32{t.start}, t.Encode(text)...)
	ids = append(ids, t.end)
	if len(ids) > context {
		if !truncate {
			return nil, fmt.Errorf("text of %d tokens is too long for CLIP's %d: %.40q", len(ids), context, text)
		}
		ids = ids[:context]
		ids[context-1] = t.end
	}
	return append(ids, make([]int32, context-len(ids))...), nil
}

// Decode is the text of ids: words separated by spaces. Ids outside the
// vocabulary are skipped.
func (t *CLIP) Decode(ids []int32) string {
	var joined strings.Builder
	for _, id := range ids {
		if id >= 0 && int(id) < len(t.tokens) {
			joined.WriteString(t.tokens[id])
		}
	}
	back := map[rune]byte{}
	for b, r := range byteRune {
		back[r] = byte(b)
	}
	var out []byte
	for _, r := range strings.ReplaceAll(joined.String(), endOfWord, " ") {
		if b, ok := back[r]; ok {
			out = append(out, b)
		} else {
			out = utf8.AppendRune(out, r)
		}
	}
	return strings.ToValidUTF8(string(out), "\uFFFD")
}

// CleanCLIP is CLIP's text normalisation: repair of mojibake and typography
// and HTML's references (see FixText for the subset), HTML unescape twice more,
// white space collapsed, lower case.
func CleanCLIP(text string) string {
	text = FixText(text)
	text = html.UnescapeString(html.UnescapeString(text))
	text = strings.ToValidUTF8(text, "\uFFFD")
	text = strings.Join(strings.FieldsFunc(text, isPythonSpace), " ")
	return cases.Lower(language.Und).String(text)
}

// isPythonSpace is what Python's str.strip and \s take for white space.
func isPythonSpace(r rune) bool { return unicode.IsSpace(r) || r >= 0x1c && r <= 0x1f }

var contractions = []string{"'s", "'t", "'re", "'ve", "'m", "'ll", "'d"}

// splitCLIP splits cleaned text into words: special tokens, English
// contractions, runs of letters, single digits, runs of anything else.
func splitCLIP(s string) []string {
	var words []string
	for len(s) > 0 {
		n := wordLen(s)
		if n > 0 {
			words = append(words, s[:n])
		} else {
			_, n = utf8.DecodeRuneInString(s) // white space
		}
		s = s[n:]
	}
	return words
}

// wordLen is the byte length of the word at the start of s, 0 for a space.
func wordLen(s string) int {
	for _, special := range []string{"<|startoftext|>", "<|endoftext|>"} {
		if strings.HasPrefix(s, special) {
			return len(special)
		}
	}
	for _, c := range contractions {
		if strings.HasPrefix(s, c) {
			return len(c)
		}
	}
	first, size := utf8.DecodeRuneInString(s)
	class := runeClass(first)
	switch class {
	case classSpace:
		return 0
	case classNumber:
		return size
	}
	if end := strings.IndexFunc(s, func(r rune) bool { return runeClass(r) != class }); end >= 0 {
		return end
	}
	return len(s)
}

const (
	classSpace = iota
	classLetter
	classNumber
	classOther
)

func runeClass(r rune) int {
	switch {
	case unicode.IsSpace(r):
		return classSpace
	case unicode.IsLetter(r):
		return classLetter
	case unicode.IsNumber(r):
		return classNumber
	}
	return classOther
}

// word returns the ids of one word.
func (t *CLIP) word(w string) []int32 {
	switch w {
	case "<|startoftext|>":
		return []int32{t.start}
	case "<|endoftext|>":
		return []int32{t.end}
	}
	t.mu.Lock()
	ids, ok := t.cache[w]
	t.mu.Unlock()
	if ok {
		return ids
	}
	for _, tok := range t.merge(w) {
		ids = append(ids, t.ids[tok])
	}
	t.mu.Lock()
	if len(t.cache) >= clipCacheWords {
		clear(t.cache)
	}
	t.cache[w] = ids
	t.mu.Unlock()
	return ids
}

// maxMergeBytes cuts an absurdly long word before merging, which is quadratic.
// CLIP reads 77 tokens, none longer than some 30 bytes, so no id that the
// model sees changes.
const maxMergeBytes = 1 << 13

// merge applies the merges of lowest rank first until none applies.
func (t *CLIP) merge(w string) []string {
	var parts []string
	for i := 0; i < len(w) && i < maxMergeBytes; i++ {
		parts = append(parts, string(byteRune[w[i]]))
	}
	parts[len(parts)-1] += endOfWord
	for len(parts) > 1 {
		best, rank := [2]string{}, len(t.ranks)+clipMerges
		for i := range len(parts) - 1 {
			pair := [2]string{parts[i], parts[i+1]}
			if r, ok := t.ranks[pair]; ok && r < rank {
				best, rank = pair, r
			}
		}
		if best[0] == "" {
			break
		}
		merged := parts[:0]
		for i := 0; i < len(parts); i++ {
			if i+1 < len(parts) && parts[i] == best[0] && parts[i+1] == best[1] {
				merged = append(merged, best[0]+best[1])
				i++
			} else {
				merged = append(merged, parts[i])
			}
		}
		parts = merged
	}
	return parts
}
