package config

import "strings"

// nearest returns the candidate that name is most likely a misspelling of, ""
// if none is close. Case and separators do not count.
func nearest(name string, candidates []string) string {
	if len(name) > maxSpelling {
		return ""
	}
	best, bestDistance := "", max(1, len(name)/3)+1
	for _, c := range candidates {
		if d := distance(squeeze(name), squeeze(c)); d < bestDistance {
			best, bestDistance = c, d
		}
	}
	return best
}

// maxSpelling bounds the work for a name from a hostile file.
const maxSpelling = 100

func squeeze(name string) string {
	return strings.ToLower(strings.NewReplacer("_", "", "-", "", ".", "").Replace(name))
}

// distance counts the bytes to insert, delete, replace or swap with their
// neighbour to make b of a.
func distance(a, b string) int {
	before, last := make([]int, len(b)+1), make([]int, len(b)+1)
	for j := range last {
		last[j] = j
	}
	for i := 1; i <= len(a); i++ {
		row := make([]int, len(b)+1)
		row[0] = i
		for j := 1; j <= len(b); j++ {
			cost := 1
			if a[i-1] == b[j-1] {
				cost = 0
			}
			row[j] = min(last[j]+1, row[j-1]+1, last[j-1]+cost)
			if i > 1 && j > 1 && a[i-1] == b[j-2] && a[i-2] == b[j-1] {
				row[j] = min(row[j], before[j-2]+1)
			}
		}
		before, last = last, row
	}
	return last[len(b)]
}

// suggestion completes a text about an unknown name. Names of the same table
// come first; then a key that is written this way with its table, or has just
// this name in another one.
func suggestion(name string, siblings, allKeys []string) string {
	if near := nearest(name, siblings); near != "" {
		return ", did you mean " + near + "?"
	}
	for _, key := range allKeys {
		if last := key[strings.LastIndexByte(key, '.')+1:]; squeeze(last) == squeeze(name) || squeeze(key) == squeeze(name) {
			return ", did you mean " + key + "?"
		}
	}
	return ""
}
