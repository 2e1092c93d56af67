// Package words puts numbers and command lines into messages for people.
package words

import "fmt"

// Count is a number with its noun: "1 photo is gone", "3 photos are gone".
func Count(n int, one, many string) string {
	if n == 1 {
		return "1 " + one
	}
	return fmt.Sprintf("%d %s", n, many)
}

// Plural is Count for a noun whose plural ends in s: "1 image", "3 images".
func Plural(n int, noun string) string { return Count(n, noun, noun+"s") }

// AppendCount adds Count to a list, unless n is 0.
func AppendCount(list []string, n int, one, many string) []string {
	if n == 0 {
		return list
	}
	return append(list, Count(n, one, many))
}
