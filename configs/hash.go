package configs

import (
	"bytes"
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"reflect"
	"slices"
	"strconv"
	"strings"
)

// GenHash identifies what stage one depends on: two configs with the same hash
// make the same pseudo-labels of the same files. Folder paths and worker
// counts do not count.
func (c Config) GenHash() string {
	d := c.Data
	d.TrainSplit = ""
	return hash(c.Seed, hashed{d}, hashed{c.Gen})
}

// TrainHash identifies what one training depends on beside its label files.
func (c Config) TrainHash() string { return hash(c.Seed, hashed{c.Data}, hashed{c.Train}) }

// ClassifierHash identifies what one training of the classifier depends on
// beside the files of the weights and the images.
func (c Config) ClassifierHash() string {
	parts := []any{c.Seed, hashed{c.Data}, hashed{c.Classifier}}
	if c.Classifier.ReCAMEpochs > 0 {
		parts = append(parts, "the first classifier learns at a tenth") // once it learnt at the second's rate
	}
	return hash(parts...)
}

// IRNHash identifies what one training of IRN's network depends on beside the
// files of the weights, the images and the labels.
func (c Config) IRNHash() string { return hash(c.Seed, hashed{c.Data}, hashed{c.IRN}) }

// FineTuneHash identifies what one fine-tuning depends on beside the files of
// the encoder and the images.
func (c Config) FineTuneHash() string { return hash(c.Seed, hashed{c.Data}, hashed{c.FineTuneCLIP}) }

func hash(parts ...any) string {
	raw, err := json.Marshal(parts) // map keys are sorted
	if err != nil {
		panic(err)
	}
	sum := sha256.Sum256(raw)
	return hex.EncodeToString(sum[:8])
}

// hashed writes a struct for a hash, as the tag hash of each field says:
//
//	hash:"7"            the value, at this place
//	hash:"7,omitempty"  the value, unless it is zero: keys that came later
//	hash:"7,zero"       a zero: a key that does not change the result, and once did change the hash
//	hash:"-"            nothing: a key that does not change the result
//
// Places are never used again, so that finished runs stay what they are.
// Fields of embedded structs count as the outer struct's own.
type hashed struct{ v any }

// MarshalJSON is json.Marshaler's.
func (h hashed) MarshalJSON() ([]byte, error) {
	fields, err := hashFields(reflect.ValueOf(h.v), "")
	if err != nil {
		return nil, err
	}
	fields = slices.DeleteFunc(fields, func(f hashField) bool { return f.omitted })
	slices.SortFunc(fields, func(a, b hashField) int { return cmp.Compare(a.place, b.place) })
	var buf bytes.Buffer
	buf.WriteByte('{')
	for i, f := range fields {
		raw, err := json.Marshal(f.value.Interface())
		if err != nil {
			return nil, err
		}
		if i > 0 {
			buf.WriteByte(',')
		}
		fmt.Fprintf(&buf, "%q:%s", f.name, raw)
	}
	buf.WriteByte('}')
	return buf.Bytes(), nil
}

type hashField struct {
	place   int
	name    string
	key     string // in a config
	value   reflect.Value
	omitted bool // a zero that is not written
}

// hashFields lists the fields of a struct that have a place, as many of each value of
// its type; prefix begins their keys.
func hashFields(v reflect.Value, prefix string) (fields []hashField, err error) {
	t := v.Type()
	for i := range t.NumField() {
		f := t.Field(i)
		key, _, _ := strings.Cut(f.Tag.Get("toml"), ",")
		if f.Anonymous {
			below, err := hashFields(v.Field(i), prefix+key+".")
			if err != nil {
				return nil, err
			}
			fields = append(fields, below...)
			continue
		}
		place, words, _ := strings.Cut(f.Tag.Get("hash"), ",")
		if place == "-" {
			continue
		}
		h := hashField{name: f.Name, key: prefix + key, value: v.Field(i)}
		if h.place, err = strconv.Atoi(place); err != nil {
			return nil, fmt.Errorf("%s.%s: tag hash %q: wanted is a place or -", t, f.Name, f.Tag.Get("hash"))
		}
		switch words {
		case "zero":
			h.value = reflect.Zero(f.Type)
		case "omitempty":
			h.omitted = v.Field(i).IsZero() || v.Field(i).Kind() == reflect.Slice && v.Field(i).Len() == 0
		}
		fields = append(fields, h)
	}
	return fields, nil
}
