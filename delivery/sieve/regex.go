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

// Limits of regular expressions: instructions of one, and octets of a value.
const (
	maxRegexSize  = 2000
	maxRegexValue = 64 << 10
)

func prepareRegex(m *Matcher, key string) (compiled, error) {
	re, err := compileRegex(key, m.comparator.Name != "i;octet")
	if err != nil {
		return nil, err
	}
	return func(r *Run, v value) bool {
		text := v.text
		if len(text) > maxRegexValue {
			text = text[:maxRegexValue]
		}
		if !r.spend(8 * len(text)) { // it is that much slower than a search
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

// compileRegex compiles an expression within the limit. The longest match counts, as in POSIX.
func compileRegex(key string, fold bool) (*regexp.Regexp, error) {
	pattern := key
	if fold {
		pattern = "(?i)" + key
	}
	if tree, err := syntax.Parse(pattern, syntax.Perl); err == nil {
		program, err := syntax.Compile(tree.Simplify())
		if err == nil && len(program.Inst) > maxRegexSize {
			return nil, fmt.Errorf("the regular expression is too large: %d instructions, more than %d",
				len(program.Inst), maxRegexSize)
		}
	}
	re, err := regexp.Compile(pattern)
	if err != nil {
		var bad *syntax.Error
		if errors.As(err, &bad) {
			err = fmt.Errorf("%s: %s", bad.Code, strings.TrimPrefix(bad.Expr, "(?i)"))
		}
		return nil, fmt.Errorf("the regular expression '%s' is invalid: %w", key, err)
	}
	re.Longest()
	return re, nil
}
