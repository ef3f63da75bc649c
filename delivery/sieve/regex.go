package sieve

import (
	"errors"
	"fmt"
	"regexp"
	"regexp/syntax"
	"strings"
)

// regex: :regex, and set :quoteregex (draft-ietf-sieve-regex-01). Expressions are those of RE2, which takes linear
// time: it has what POSIX's extended expressions have but back references.
func regexExtension() *Extension {
	return &Extension{
		Name: "regex", Standard: "draft-ietf-sieve-regex-01",
		Matches:   []*MatchType{{Name: "regex", substrings: true, prepare: prepareRegex}},
		Modifiers: []*Modifier{{Name: "quoteregex", precedence: 20, apply: regexp.QuoteMeta, cut: cutQuoted}},
	}
}

// Limits of regular expressions: octets and instructions of one.
const (
	maxRegexText = 4 << 10
	maxRegexSize = 2000
)

// A limitError is a key beyond a limit: at run time it ends the script, where other keys that cannot be used match
// nothing.
type limitError struct{ text string }

func (e *limitError) Error() string { return e.text }

func prepareRegex(m *Matcher, key string) (compiled, error) {
	re, size, err := compileRegex(key, m.comparator.Name != "i;octet")
	if err != nil {
		return nil, err
	}
	return func(r *Run, v value) bool {
		text := v.text
		if !r.spend(costRegex * size * len(text)) {
			return false
		}
		if !r.program.matches || m.silent {
			return re.MatchString(text)
		}
		at := re.FindStringSubmatchIndex(text)
		if at == nil {
			return false
		}
		spans := at[2:]
		for i := range spans {
			if spans[i] >= 0 {
				spans[i] -= at[0]
			}
		}
		r.scope.setMatches(text[at[0]:at[1]], spans)
		return true
	}, nil
}

// compileRegex compiles an expression within the limits, and returns how many instructions it has. The longest match
// counts, as in POSIX.
func compileRegex(key string, fold bool) (re *regexp.Regexp, size int, err error) {
	if len(key) > maxRegexText {
		return nil, 0, &limitError{fmt.Sprintf("the regular expression is too large: %d octets, more than %d", len(key),
			maxRegexText)}
	}
	flags := "(?s)" // a dot is any character in POSIX, also a line end
	if fold {
		flags = "(?is)"
	}
	tree, err := syntax.Parse(flags+key, syntax.Perl)
	if err != nil {
		var bad *syntax.Error
		if errors.As(err, &bad) {
			err = fmt.Errorf("%s: %s", bad.Code, strings.TrimPrefix(bad.Expr, flags))
		}
		return nil, 0, fmt.Errorf("the regular expression '%s' is invalid: %w", key, err)
	}
	program, err := syntax.Compile(tree.Simplify())
	if err != nil {
		return nil, 0, err
	}
	if size = len(program.Inst); size > maxRegexSize {
		return nil, 0, &limitError{fmt.Sprintf("the regular expression is too large: %d instructions, more than %d", size,
			maxRegexSize)}
	}
	if re, err = regexp.Compile(flags + key); err != nil {
		return nil, 0, err
	}
	re.Longest()
	return re, size, nil
}
