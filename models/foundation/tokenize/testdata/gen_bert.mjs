// Writes bert_ids.json: WordPiece ids of odd_strings.json by Hugging Face's
// own JavaScript tokenizer (npm install @huggingface/tokenizers@0.2.0).
// Usage: node gen_bert.mjs bert-base-uncased-vocab.txt
import fs from "node:fs";
import { Tokenizer } from "@huggingface/tokenizers";

const lines = fs.readFileSync(process.argv[2], "utf8").replace(/\n$/, "").split("\n");
const vocab = Object.fromEntries(lines.map((token, id) => [token, id]));
const special = (content) => ({ id: vocab[content], content, single_word: false, lstrip: false, rstrip: false, normalized: false, special: true });
const tokenizer = new Tokenizer(
  {
    added_tokens: ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"].map(special),
    normalizer: { type: "BertNormalizer", clean_text: true, handle_chinese_chars: true, strip_accents: null, lowercase: true },
    pre_tokenizer: { type: "BertPreTokenizer" },
    post_processor: null,
    decoder: { type: "WordPiece", prefix: "##", cleanup: true },
    model: { type: "WordPiece", unk_token: "[UNK]", continuing_subword_prefix: "##", max_input_chars_per_word: 100, vocab },
  },
  { tokenizer_class: "BertTokenizer", do_lower_case: true },
);
// null where the JavaScript port is known to differ from the original: it
// lower-cases a final sigma by context, keeps unassigned code points, and does
// not split CJK outside the basic plane. tokenize_test.go has these by hand.
const differs = (s) => /ΌΔΟΣ|\u0378|𠮷/.test(s);
const strings = JSON.parse(fs.readFileSync("odd_strings.json", "utf8"));
fs.writeFileSync("bert_ids.json", JSON.stringify(strings.map((s) => differs(s) ? null : tokenizer.encode(s, { add_special_tokens: false }).ids)));
