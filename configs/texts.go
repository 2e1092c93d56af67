package configs

import (
	"reflect"
	"strings"
)

// MapTexts calls f for every text of a config, of the options of methods and datasets
// too, with its key, and keeps what f returns. Tables that it shares with a copy stay
// as they are. It ends with f's first error.
func (c *Config) MapTexts(f func(key, text string) (string, error)) error {
	v, err := mapTexts(reflect.ValueOf(*c), "", f)
	if err == nil {
		*c = v.Interface().(Config)
	}
	return err
}

// mapTexts is a copy of a value with other texts; what holds none is not copied.
func mapTexts(v reflect.Value, key string, f func(key, text string) (string, error)) (reflect.Value, error) {
	switch v.Kind() {
	case reflect.String:
		text, err := f(key, v.String())
		if err != nil || text == v.String() {
			return v, err
		}
		return reflect.ValueOf(text).Convert(v.Type()), nil
	case reflect.Pointer, reflect.Interface:
		if v.IsNil() {
			return v, nil
		}
		below, err := mapTexts(v.Elem(), key, f)
		if err != nil {
			return v, err
		}
		out := reflect.New(below.Type())
		out.Elem().Set(below)
		if v.Kind() == reflect.Interface {
			out = out.Elem()
		}
		return out, nil
	case reflect.Struct:
		return mapFields(v, key, f)
	case reflect.Slice:
		if v.IsNil() {
			return v, nil
		}
		out := reflect.MakeSlice(v.Type(), v.Len(), v.Len())
		for i := range v.Len() {
			one, err := mapTexts(v.Index(i), key, f)
			if err != nil {
				return v, err
			}
			out.Index(i).Set(one)
		}
		return out, nil
	case reflect.Map:
		if v.IsNil() {
			return v, nil
		}
		out := reflect.MakeMapWithSize(v.Type(), v.Len())
		for it := v.MapRange(); it.Next(); {
			one, err := mapTexts(it.Value(), joinKey(key, it.Key().String()), f)
			if err != nil {
				return v, err
			}
			out.SetMapIndex(it.Key(), one)
		}
		return out, nil
	}
	return v, nil
}

func mapFields(v reflect.Value, key string, f func(key, text string) (string, error)) (reflect.Value, error) {
	out := reflect.New(v.Type()).Elem()
	out.Set(v)
	for i := range v.NumField() {
		if !out.Field(i).CanSet() { // not exported
			continue
		}
		name, _, _ := strings.Cut(v.Type().Field(i).Tag.Get("toml"), ",")
		one, err := mapTexts(v.Field(i), joinKey(key, name), f)
		if err != nil {
			return v, err
		}
		out.Field(i).Set(one)
	}
	return out, nil
}

func joinKey(key, name string) string {
	if key == "" || name == "" {
		return key + name
	}
	return key + "." + name
}
