package gen

import (
	"fmt"

	"wsss/configs"
	"wsss/data"
)

// Of is a method whose table [gen.options] is an O. Decode is the one place that
// reads and checks the table: whoever asks for needs, inner methods or the method
// itself gets the same options, or the same error.
type Of[O any] struct {
	Decode  func(table map[string]any) (O, error)
	New     func(env Env, o O) (Method, error)
	Inner   func(o O) []configs.Gen               // see Spec.Inner; nil for none
	Needs   func(o O) Needs                       // see Spec.Needs; nil for none
	Classes func(o O, classes data.Classes) error // see Spec.Classes; nil for none
	Headers func(o O, g configs.Gen) error        // see Spec.Check; nil for none
}

// RegisterOf adds a method, as Register does, that is made of its options. spec
// has the rest of its description.
func RegisterOf[O any](name string, spec Spec, of Of[O]) {
	spec.New = func(env Env) (Method, error) {
		o, err := of.Decode(env.Gen.Options)
		if err != nil {
			return nil, err
		}
		return of.New(env, o)
	}
	spec.Needs = func(table map[string]any) (n Needs, err error) {
		o, err := of.Decode(table)
		if err == nil && of.Needs != nil {
			n = of.Needs(o)
		}
		return n, err
	}
	if of.Inner != nil {
		spec.Inner = func(table map[string]any) ([]configs.Gen, error) {
			o, err := of.Decode(table)
			if err != nil {
				return nil, err
			}
			return of.Inner(o), nil
		}
	}
	if of.Classes != nil {
		spec.Classes = func(table map[string]any, classes data.Classes) error {
			o, err := of.Decode(table)
			if err != nil {
				return err
			}
			return of.Classes(o, classes)
		}
	}
	if of.Headers != nil {
		spec.Check = func(g configs.Gen) error {
			o, err := of.Decode(g.Options)
			if err != nil {
				return err
			}
			return of.Headers(o, g)
		}
	}
	Register(name, spec)
}

// Within is an error where a number of [gen.options] is less than lo, more than hi, or
// none.
func Within(key string, v, lo, hi float64) error {
	if v >= lo && v <= hi {
		return nil
	}
	return fmt.Errorf("[gen.options] %s = %v: allowed are %v to %v", key, v, lo, hi)
}

// Decode reads the table [gen.options] strictly into o, which holds the
// defaults, and has it checked; a nil check allows everything.
func Decode[O any](table map[string]any, o O, check func(o O) error) (O, error) {
	err := configs.Decode("gen.options", table, &o)
	if err == nil && check != nil {
		err = check(o)
	}
	return o, err
}
