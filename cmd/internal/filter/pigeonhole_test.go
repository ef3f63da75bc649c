package filter_test

import (
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/doorstep-mail/doorstep/cmd/internal/peer"
	"github.com/doorstep-mail/doorstep/delivery/sieve"
	"github.com/doorstep-mail/doorstep/delivery/sieve/dialect"
	"github.com/doorstep-mail/doorstep/delivery/sieve/message"
	"github.com/doorstep-mail/doorstep/delivery/sieve/syntax"
)

// enabled are the extensions that Pigeonhole has off by default, and that the scripts of these tests may require.
var enabled = []string{"editheader", "vacation-seconds", "special-use", "spamtest", "spamtestplus", "virustest"}

// lacking are extensions that Doorstep has and Pigeonhole does not.
var lacking = []string{
	"ereject", "comparator-i;unicode-casemap", "fcc", "replace", "enclose", "envelope-dsn", "redirect-dsn",
}

// options let scripts require what they may require there.
func options() sieve.Options {
	return sieve.Options{Allowed: func(e *sieve.Extension) bool {
		return (!e.Off || slices.Contains(enabled, e.Name)) && !slices.Contains(lacking, e.Name)
	}}
}

// count is how many cases a test has: a number, or what a variable of the environment says, for a longer look.
func count(t *testing.T, usual int) int {
	text := os.Getenv("DOORSTEP_SIEVE_CASES")
	if text == "" {
		return usual
	}
	n, err := strconv.Atoi(text)
	if err != nil {
		t.Fatalf("DOORSTEP_SIEVE_CASES: %v", err)
	}
	return n
}

// each calls f for the numbers from 0 to n-1, two at a time: each is a process of Dovecot's.
func each(n int, f func(i uint64)) {
	var next atomic.Int64
	var workers sync.WaitGroup
	for range 2 {
		workers.Go(func() {
			for i := next.Add(1) - 1; i < int64(n); i = next.Add(1) - 1 {
				f(uint64(i))
			}
		})
	}
	workers.Wait()
}

// TestRunsAsPigeonhole: scripts of the dialects that there are do with a message what they do in Pigeonhole, but for
// what the table of differences has.
func TestRunsAsPigeonhole(t *testing.T) {
	pigeonhole := peer.NewPigeonhole(t, enabled, "Archive", "DeltaChat")
	n := count(t, 2000)
	began := time.Now()
	seen := newTally(runDifferences)
	each(n, func(i uint64) {
		c := dialect.New(i)
		r := runs(t, pigeonhole, c)
		if r.ours != r.theirs && strings.Contains(c.Script, "currentdate") { // the clock has moved between them
			r = runs(t, pigeonhole, c)
		}
		if r.ours == r.theirs {
			seen.same(strings.Fields(r.ours)[0])
			return
		}
		if !seen.explains(r) {
			t.Errorf("case %d (%s) from %s to %s\n--- script\n%s\n--- message\n%s\n--- Doorstep\n%s\n--- Pigeonhole\n%s\n"+
				"--- problems\n%s", i, c.Dialect, c.From, c.To, c.Script, c.Message, r.ours, r.theirs, r.problems)
		}
	})
	seen.report(t, n, time.Since(began))
}

// runs runs a case in both engines.
func runs(t *testing.T, pigeonhole *peer.Pigeonhole, c dialect.Case) *comparison {
	actions, problems, ok := pigeonhole.Run(c.Script, c.Message, c.From, c.To)
	r := &comparison{script: c.Script, message: c.Message, theirs: "error", problems: problems}
	switch {
	case ok:
		r.theirs = theirActions(actions)
	case strings.Contains(problems, "failed to compile"):
		r.theirs = "refused"
	}
	p, found := sieve.Compile(&syntax.Source{Name: "script", Text: c.Script}, options())
	if p == nil {
		r.ours = "refused"
		r.problems += fmt.Sprint(found)
		return r
	}
	m, err := message.Read(strings.NewReader(c.Message), int64(len(c.Message)))
	if err != nil {
		t.Error(err)
		return r
	}
	result := p.Run(t.Context(), &sieve.Input{
		Message: m, Envelope: sieve.Envelope{From: c.From, To: c.To, OrigTo: c.To}, Host: account{}, Now: time.Now().UTC(),
		Delimiters: "+",
	})
	if result.Err != nil {
		r.ours = "error"
		r.problems += result.Err.Error()
		return r
	}
	r.ours = ourActions(result)
	return r
}

// TestRefusesAsPigeonhole: broken scripts are refused as Pigeonhole refuses them, and the first error is on the same
// line, but for what the table of differences has.
func TestRefusesAsPigeonhole(t *testing.T) {
	pigeonhole := peer.NewPigeonhole(t, enabled)
	n := count(t, 1000)
	began := time.Now()
	seen := newTally(refusalDifferences)
	var equalCount, refused atomic.Int64
	each(n, func(i uint64) {
		script := dialect.Mutate(i)
		text, ok := pigeonhole.Compile(script)
		p, problems := sieve.Compile(&syntax.Source{Name: "script", Text: script}, options())
		theirLines, ourLines := linesOf(text), lines(script, problems)
		ours, theirs := verdict(p != nil, ourLines), verdict(ok, theirLines)
		if p == nil && !ok {
			refused.Add(1)
			if len(ourLines) == len(theirLines) {
				equalCount.Add(1)
			}
		}
		if ours == theirs {
			seen.same(strings.SplitN(ours, " ", 2)[0])
			return
		}
		if !seen.explains(&comparison{script: script, ours: ours, theirs: theirs, problems: text}) {
			t.Errorf("case %d\n--- script\n%s\n--- Doorstep: %s\n%v\n--- Pigeonhole: %s\n%s", i, numbered(script), ours,
				problems, theirs, text)
		}
	})
	seen.report(t, n, time.Since(began))
	t.Logf("of %d scripts that both refuse %d have as many errors in both", refused.Load(), equalCount.Load())
	if 100*equalCount.Load() < leastEqualCounts*refused.Load() {
		t.Errorf("fewer than %d %% have as many errors in both", leastEqualCounts)
	}
}

// verdict says whether a script was taken, or where its first error is.
func verdict(ok bool, errors []int) string {
	switch {
	case ok:
		return "taken"
	case len(errors) == 0:
		return "refused"
	}
	return fmt.Sprint("refused in line ", slices.Min(errors))
}

// lines are those of the errors among our problems: of the grammar, if it has any, as Pigeonhole goes no further then.
func lines(script string, problems []syntax.Problem) []int {
	var list []int
	grammar := syntax.Problems{Source: &syntax.Source{Text: script}}
	if syntax.Parse(grammar.Source, &grammar); grammar.Failed() {
		problems = grammar.List
	}
	for _, p := range problems {
		if !p.Warning {
			list = append(list, p.Line)
		}
	}
	return list
}

// linesOf are those of the errors that sievec printed.
func linesOf(text string) []int {
	var list []int
	for line := range strings.Lines(text) {
		_, rest, ok := strings.Cut(line, ": line ")
		number, rest, isPlace := strings.Cut(rest, ": ")
		n, err := strconv.Atoi(number)
		if ok && isPlace && err == nil && strings.HasPrefix(rest, "error: ") {
			list = append(list, n)
		}
	}
	return list
}

func numbered(script string) string {
	var b strings.Builder
	n := 0
	for line := range strings.Lines(script) {
		n++
		fmt.Fprintf(&b, "%d\t%q\n", n, line)
	}
	return b.String()
}
