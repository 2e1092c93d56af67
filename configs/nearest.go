package configs

import "strings"

// DidYouMean is "; did you mean WORD?" for the word of a list that a misspelt
// one is nearest to, "" where none is near.
func DidYouMean(word string, allowed []string) string {
	if near := Nearest(word, allowed); near != "" {
		return "; did you mean " + near + "?"
	}
	return ""
}

// Nearest is the word of a list that takes the fewest edits (a letter added,
// left out, changed, or swapped with the next) from a misspelt one, whatever
// their case; "" where a third of the letters or more would have to change. A
// word that begins with the misspelt one, of three letters or more, is near,
// too.
func Nearest(word string, allowed []string) string {
	best, fewest := "", 2*max(1, len(word)/3)+2 // in halves of an edit
	lower := strings.ToLower(word)
	for _, w := range allowed {
		n := 2 * edits(lower, strings.ToLower(w))
		if len(word) >= 3 && strings.HasPrefix(strings.ToLower(w), lower) {
			n = min(n, 3)
		}
		if n < fewest {
			best, fewest = w, n
		}
	}
	return best
}

// edits is the optimal string alignment distance.
func edits(a, b string) int {
	x, y := []rune(a), []rune(b)
	d := make([][]int, len(x)+1)
	for i := range d {
		d[i] = make([]int, len(y)+1)
		d[i][0] = i
	}
	for j := range d[0] {
		d[0][j] = j
	}
	for i := 1; i <= len(x); i++ {
		for j := 1; j <= len(y); j++ {
			cost := 1
			if x[i-1] == y[j-1] {
				cost = 0
			}
			d[i][j] = min(d[i-1][j]+1, d[i][j-1]+1, d[i-1][j-1]+cost)
			if i > 1 && j > 1 && x[i-1] == y[j-2] && x[i-2] == y[j-1] {
				d[i][j] = min(d[i][j], d[i-2][j-2]+1)
			}
		}
	}
	return d[len(x)][len(y)]
}
