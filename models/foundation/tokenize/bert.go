package tokenize

import (
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"
)

// BERTContext is the number of tokens Grounding-DINO's text encoder reads
// (docs/sources.md §4).
const BERTContext = 256

// maxWordRunes is the longest word WordPiece splits; longer ones are unknown.
const maxWordRunes = 100

// BERT is the uncased WordPiece tokenizer of BERT. It is safe for concurrent
// use.
type BERT struct {
	ids                      map[string]int32
	tokens                   []string
	pad, unk, cls, sep, mask int32
}

// LoadBERT reads a vocabulary: one token per line, id = line number from 0.
// It must hold [PAD], [UNK], [CLS] and [SEP].
func LoadBERT(path string) (*BERT, error) {
	lines, err := readLines(path)
	if err != nil {
		return nil, fmt.Errorf("BERT vocabulary: %w", err)
	}
	t, err := newBERT(lines)
	if err != nil {
		return nil, fmt.Errorf("BERT vocabulary: %s: %w", path, err)
	}
	return t, nil
}

func newBERT(lines []string) (*BERT, error) {
	t := &BERT{ids: make(map[string]int32, len(lines)), tokens: lines}
	for i, tok := range lines {
		if _, dup := t.ids[tok]; !dup {
			t.ids[tok] = int32(i)
		}
	}
	t.mask = -1
	if id, ok := t.ids["[MASK]"]; ok {
		t.mask = id
	}
	for tok, id := range map[string]*int32{"[PAD]": &t.pad, "[UNK]": &t.unk, "[CLS]": &t.cls, "[SEP]": &t.sep} {
		v, ok := t.ids[tok]
		if !ok {
			return nil, fmt.Errorf("token %s is missing", tok)
		}
		*id = v
	}
	return t, nil
}

// VocabSize is the number of token ids (30,522 for bert-base-uncased).
func (t *BERT) VocabSize() int { return len(t.tokens) }

// CLS is the id of [CLS] (101), which opens every sequence.
func (t *BERT) CLS() int32 { return t.cls }

// SEP is the id of [SEP] (102), which closes every sequence.
func (t *BERT) SEP() int32 { return t.sep }

// Pad is the id of [PAD] (0).
func (t *BERT) Pad() int32 { return t.pad }

// ID is the id of one token of the vocabulary, [UNK]'s when it is not there.
func (t *BERT) ID(token string) int32 {
	if id, ok := t.ids[token]; ok {
		return id
	}
	return t.unk
}

// Encode returns the ids of the text without [CLS] and [SEP]. Special tokens
// written out in the text ("[SEP]") become themselves.
func (t *BERT) Encode(text string) []int32 {
	var ids []int32
	text = strings.ToValidUTF8(text, "\uFFFD")
	for text != "" {
		at, length, id := t.nextSpecial(text)
		for _, w := range splitBERT(text[:at]) {
			ids = t.appendWord(ids, w)
		}
		if length > 0 {
			ids = append(ids, id)
		}
		text = text[at+length:]
	}
	return ids
}

// Tokenize is Encode between [CLS] and [SEP], at most limit ids; a longer text
// is cut before its [SEP].
func (t *BERT) Tokenize(text string, limit int) []int32 {
	ids := t.Encode(text)
	if limit >= 2 && len(ids) > limit-2 {
		ids = ids[:limit-2]
	}
	ids = append([]int32{t.cls}, ids...)
	return append(ids, t.sep)
}

// Decode joins ids to text: continuation pieces ("##ing") glue to the word
// before, words are separated by spaces, special tokens are left out.
func (t *BERT) Decode(ids []int32) string {
	var b strings.Builder
	for _, id := range ids {
		if id < 0 || int(id) >= len(t.tokens) || t.isSpecial(id) {
			continue
		}
		tok, glued := strings.CutPrefix(t.tokens[id], "##")
		if !glued && b.Len() > 0 {
			b.WriteByte(' ')
		}
		b.WriteString(tok)
	}
	return b.String()
}

func (t *BERT) isSpecial(id int32) bool {
	return id == t.pad || id == t.unk || id == t.cls || id == t.sep || id == t.mask
}

// nextSpecial finds the first special token written out in the text; length 0
// and at = len(text) when there is none.
func (t *BERT) nextSpecial(text string) (at, length int, id int32) {
	at = len(text)
	for _, special := range []int32{t.pad, t.unk, t.cls, t.sep, t.mask} {
		if special < 0 {
			continue
		}
		tok := t.tokens[special]
		if i := strings.Index(text[:at], tok); i >= 0 {
			at, length, id = i, len(tok), special
		}
	}
	return at, length, id
}

// splitBERT normalises the text and splits it at white space, around
// punctuation and around CJK characters.
func splitBERT(text string) []string {
	var words []string
	var word strings.Builder
	flush := func() {
		if word.Len() > 0 {
			words = append(words, word.String())
			word.Reset()
		}
	}
	var spaced strings.Builder
	for _, r := range text {
		switch {
		case unicode.IsSpace(r):
			spaced.WriteByte(' ')
		case r == 0 || r == utf8.RuneError || unicode.Is(unicode.C, r):
		case isCJK(r):
			spaced.WriteByte(' ')
			spaced.WriteRune(r)
			spaced.WriteByte(' ')
		default:
			spaced.WriteRune(r)
		}
	}
	for _, r := range norm.NFD.String(spaced.String()) {
		switch {
		case unicode.Is(unicode.Mn, r):
		case r == ' ':
			flush()
		case isBERTPunct(r):
			flush()
			words = append(words, string(r))
		default:
			word.WriteRune(r)
		}
	}
	flush()
	for i, w := range words {
		words[i] = lowerFull(w)
	}
	return words
}

// lowerFull lower-cases rune by rune; no letter that NFD leaves whole needs
// more than Go's simple mapping.
func lowerFull(w string) string { return strings.Map(unicode.ToLower, w) }

func isBERTPunct(r rune) bool {
	return r >= 33 && r <= 47 || r >= 58 && r <= 64 || r >= 91 && r <= 96 || r >= 123 && r <= 126 || unicode.IsPunct(r)
}

func isCJK(r rune) bool {
	for _, block := range [][2]rune{
		{0x4e00, 0x9fff}, {0x3400, 0x4dbf}, {0x20000, 0x2a6df}, {0x2a700, 0x2b73f},
		{0x2b740, 0x2b81f}, {0x2b820, 0x2ceaf}, {0xf900, 0xfaff}, {0x2f800, 0x2fa1f},
	} {
		if r >= block[0] && r <= block[1] {
			return true
		}
	}
	return false
}

// appendWord splits one word into the longest pieces of the vocabulary, from
// the left; a word that cannot be split whole is one [UNK].
func (t *BERT) appendWord(ids []int32, w string) []int32 {
	if utf8.RuneCountInString(w) > maxWordRunes {
		return append(ids, t.unk)
	}
	start := len(ids)
	for at := 0; at < len(w); {
		id, n := t.longestPiece(w[at:], at > 0)
		if n == 0 {
			return append(ids[:start], t.unk)
		}
		ids = append(ids, id)
		at += n
	}
	return ids
}

func (t *BERT) longestPiece(w string, inside bool) (id int32, n int) {
	for n = len(w); n > 0; n-- {
		if n < len(w) && !utf8.RuneStart(w[n]) {
			continue
		}
		piece := w[:n]
		if inside {
			piece = "##" + piece
		}
		if id, ok := t.ids[piece]; ok {
			return id, n
		}
	}
	return 0, 0
}
