package main

import (
	"fmt"
	"strings"

	"github.com/BurntSushi/toml"
)

// options is a repeatable flag key=value; values are TOML, else strings.
type options struct{ table map[string]any }

func (o *options) String() string { return fmt.Sprint(o.table) }

func (o *options) Set(text string) error {
	key, value, ok := strings.Cut(text, "=")
	if !ok {
		return fmt.Errorf("want key=value, such as gamma=50")
	}
	var v struct{ V any }
	if err := toml.Unmarshal([]byte("V = "+value), &v); err != nil {
		v.V = value
	}
	if o.table == nil {
		o.table = map[string]any{}
	}
	o.table[key] = v.V
	return nil
}
