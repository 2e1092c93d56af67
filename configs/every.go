package configs

import (
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
)

// Every is a distance between events of a training: a number of updates, or in
// a file also "N epochs".
type Every int

// Epochs is a distance of so many passes over the training images.
func Epochs(n int) Every { return Every(-n) }

// Updates is the distance in updates, for so many of them in an epoch.
func (e Every) Updates(perEpoch int) int {
	if e < 0 {
		return -int(e) * perEpoch
	}
	return int(e)
}

// String is what a file says.
func (e Every) String() string {
	switch {
	case e == -1:
		return "1 epoch"
	case e < 0:
		return fmt.Sprintf("%d epochs", -int(e))
	}
	return strconv.Itoa(int(e))
}

// maxEvery bounds a distance, so that none overflows.
const maxEvery = 1 << 30

// UnmarshalTOML reads a number of updates, or text such as "2 epochs".
func (e *Every) UnmarshalTOML(v any) error {
	switch v := v.(type) {
	case int64:
		if v >= 0 && v <= maxEvery {
			*e = Every(v)
			return nil
		}
	case string:
		number, unit, _ := strings.Cut(strings.TrimSpace(v), " ")
		n, err := strconv.Atoi(number)
		if err != nil || n < 0 || n > maxEvery {
			break
		}
		switch strings.TrimSpace(unit) {
		case "epoch", "epochs":
			*e = Epochs(n)
			return nil
		case "update", "updates":
			*e = Every(n)
			return nil
		}
	}
	if s, ok := v.(string); ok {
		v = strconv.Quote(s)
	}
	return fmt.Errorf(`= %v: allowed is an integer >= 0, the updates between, or text such as "2 epochs"`, v)
}

// MarshalTOML writes what UnmarshalTOML reads.
func (e Every) MarshalTOML() ([]byte, error) { return e.MarshalJSON() }

// MarshalJSON writes a number of updates, or text.
func (e Every) MarshalJSON() ([]byte, error) {
	if e < 0 {
		return json.Marshal(e.String())
	}
	return json.Marshal(int(e))
}

// UnmarshalJSON reads what MarshalJSON writes.
func (e *Every) UnmarshalJSON(raw []byte) error {
	var v any
	if err := json.Unmarshal(raw, &v); err != nil {
		return err
	}
	if f, ok := v.(float64); ok {
		v = int64(f)
	}
	return e.UnmarshalTOML(v)
}
