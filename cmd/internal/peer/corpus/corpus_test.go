package corpus

import (
	"strings"
	"testing"
)

func TestMessages(t *testing.T) {
	list, again := Messages(), Messages()
	if len(list) < 50 {
		t.Errorf("only %d messages", len(list))
	}
	names, contents := map[string]bool{}, map[string]bool{}
	for i, m := range list {
		if names[m.Name] || contents[m.Stored()] {
			t.Errorf("%s comes twice", m.Name)
		}
		names[m.Name], contents[m.Stored()] = true, true
		if again[i] != m {
			t.Errorf("%s differs from run to run", m.Name)
		}
		if strings.Contains(m.Content, "\r") {
			t.Errorf("%s has a CR", m.Name)
		}
		for n, line := range strings.Split(m.Content, "\n") {
			if len(line) > 998 {
				t.Errorf("%s: line %d has %d octets", m.Name, n+1, len(line))
			}
		}
		first, _, _ := strings.Cut(m.Content, "\n")
		name, _, ok := strings.Cut(first, ":")
		if !ok || name == "" || strings.ContainsAny(name, " \t") || strings.EqualFold(name, "Return-Path") {
			t.Errorf("%s begins with %q", m.Name, first)
		}
	}
}
