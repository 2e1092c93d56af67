package tokenize

import (
	"bufio"
	"compress/gzip"
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/gomlx/go-huggingface/tokenizers/hftokenizer"

	"wsss/data/datatest"
)

// TestLibrary tells whether the tokenizers of go-huggingface give what the
// references give: as soon as they do, they can take the place of these. They
// are built of the same vocabularies, with the normalizers and splits of the
// tokenizer.json of bert-base-uncased and of clip-vit-base-patch16.
func TestLibrary(t *testing.T) {
	if os.Getenv("WSSS_VERIFY") == "" {
		t.Skip("about a library that is not used: WSSS_VERIFY=1 runs it")
	}
	dir := filepath.Join(datatest.Shared(t), "tokenizers")
	vocabulary := map[string]int{}
	for i, line := range linesOf(t, filepath.Join(dir, "bert-base-uncased-vocab.txt")) {
		vocabulary[line] = i
	}
	added := []map[string]any{}
	for _, w := range []string{"[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"} {
		added = append(added, map[string]any{"id": vocabulary[w], "content": w, "special": true})
	}
	bert := map[string]any{"version": "1.0", "added_tokens": added,
		"normalizer":    map[string]any{"type": "BertNormalizer", "clean_text": true, "handle_chinese_chars": true, "lowercase": true},
		"pre_tokenizer": map[string]any{"type": "BertPreTokenizer"},
		"model":         map[string]any{"type": "WordPiece", "unk_token": "[UNK]", "continuing_subword_prefix": "##", "max_input_chars_per_word": 100, "vocab": vocabulary}}
	own := realCLIP(t)
	clipVocabulary, merges := map[string]int{}, []string{}
	for i, token := range own.tokens {
		clipVocabulary[token] = i
	}
	merges = append(merges, linesOf(t, filepath.Join(dir, "bpe_simple_vocab_16e6.txt.gz"))[1:49152-256-2+1]...)
	clip := map[string]any{"version": "1.0",
		"added_tokens": []map[string]any{{"id": 49406, "content": "<|startoftext|>", "special": true}, {"id": 49407, "content": "<|endoftext|>", "special": true}},
		"normalizer": map[string]any{"type": "Sequence", "normalizers": []map[string]any{{"type": "NFC"},
			{"type": "Replace", "pattern": map[string]any{"Regex": `\s+`}, "content": " "}, {"type": "Lowercase"}}},
		"pre_tokenizer": map[string]any{"type": "Sequence", "pretokenizers": []map[string]any{
			{"type": "Split", "pattern": map[string]any{"Regex": `'s|'t|'re|'ve|'m|'ll|'d|[\p{L}]+|[\p{N}]|[^\s\p{L}\p{N}]+`}, "behavior": "Removed", "invert": true},
			{"type": "ByteLevel", "add_prefix_space": false}}},
		"model": map[string]any{"type": "BPE", "unk_token": "<|endoftext|>", "end_of_word_suffix": "</w>", "vocab": clipVocabulary, "merges": merges}}
	texts := readFixture[[]string](t, "odd_strings.json")
	for name, c := range map[string]struct {
		file map[string]any
		want [][]int32
	}{"bert": {bert, readFixture[[][]int32](t, "bert_ids.json")}, "clip": {clip, readFixture[[][]int32](t, "clip_ids.json")}} {
		raw, err := json.Marshal(c.file)
		if err != nil {
			t.Fatal(err)
		}
		lib, err := hftokenizer.NewFromContent(nil, raw)
		if err != nil {
			t.Fatal(err)
		}
		differ := 0
		for i, text := range texts {
			var got []int32
			for _, id := range lib.Encode(text) {
				got = append(got, int32(id))
			}
			if c.want[i] != nil && !slices.Equal(got, c.want[i]) {
				if differ++; differ <= 5 {
					t.Logf("%s: %.40q: %v, want %v", name, text, got, c.want[i])
				}
			}
		}
		t.Logf("%s: %d of %d strings differ", name, differ, len(texts))
		if differ == 0 {
			t.Errorf("%s: the library gives the reference's ids on every string: use it", name)
		}
	}
}

func linesOf(t *testing.T, path string) (lines []string) {
	t.Helper()
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	s := bufio.NewScanner(f)
	if strings.HasSuffix(path, ".gz") {
		z, err := gzip.NewReader(f)
		if err != nil {
			t.Fatal(err)
		}
		s = bufio.NewScanner(z)
	}
	for s.Scan() {
		lines = append(lines, s.Text())
	}
	return lines
}
