package hint

import (
	"errors"
	"strings"
	"testing"
)

func TestQuote(t *testing.T) {
	long := strings.Repeat("ü", 70)
	for s, want := range map[string]string{
		"":               `""`,
		"a\nb\x1b[31m":   `"a\nb\x1b[31m"`,
		long[:128]:       `"` + long[:128] + `"`,
		long:             `"` + long[:128] + `"…`,
		"\xff not UTF-8": `"\xff not UTF-8"`,
	} {
		if got := Quote(s); got != want {
			t.Errorf("%q is quoted as %s, want %s", s, got, want)
		}
	}
}

func TestAnyOf(t *testing.T) {
	for want, words := range map[string][]string{
		"": nil, `"a"`: {"a"}, `"a" or "b"`: {"a", "b"}, `"a", "b" or "c"`: {"a", "b", "c"},
	} {
		if got := AnyOf(words); got != want {
			t.Errorf("%q are %s, want %s", words, got, want)
		}
	}
}

func TestClosest(t *testing.T) {
	candidates := []string{"recipients", "connections", "connections_per_peer", "idle_timeout", "folders"}
	for word, want := range map[string]string{
		"recipient":             "recipients",
		"recipeints":            "recipients",
		"Idle-Timeout":          "idle_timeout",
		"idle":                  "idle_timeout",
		"conections_per_peer":   "connections_per_peer",
		"folders2":              "folders",
		"greeting":              "",
		"":                      "",
		strings.Repeat("x", 65): "",
	} {
		if got := Closest(word, candidates); got != want {
			t.Errorf("%q may mean %q, want %q", word, got, want)
		}
	}
	if got := DidYouMean("fold", []string{"fold", "exact"}); got != `did you mean "fold"?` {
		t.Error(got)
	}
	if got := DidYouMean("something", []string{"fold", "exact"}); got != "" {
		t.Error(got)
	}
}

func TestError(t *testing.T) {
	var e Error
	if err := New("wrong", "write it right"); err.Error() != "wrong" || !errors.As(err, &e) || e.Warning || e.Hint == "" {
		t.Errorf("%#v", err)
	}
	if err := Warning("odd", ""); !errors.As(err, &e) || !e.Warning {
		t.Errorf("%#v", err)
	}
}
