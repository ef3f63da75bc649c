package filter_test

import (
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
	"unicode/utf8"
)

// A comparison is a case in which the two engines differ.
type comparison struct {
	script, message string
	ours, theirs    string
	problems        string // what Pigeonhole says of the script
}

// A difference is one that is wanted, or that does not matter, with its reason. One that does not occur among so many
// cases fails the test: tables hold nothing that is no longer so.
type difference struct {
	among  int
	reason string
	is     func(*comparison) bool
}

// often is how many cases make test has, and rare how many a longer look has.
const (
	often = 2000
	rare  = 20_000
)

var runDifferences = []difference{
	{often, "the name of a folder is checked when the script runs, there when the message is stored",
		func(c *comparison) bool {
			return c.ours == "error" && strings.Contains(c.problems, "invalid folder name")
		}},
	{often, "what is no flag of IMAP is left out when the script runs, there when the message is stored",
		func(c *comparison) bool { return c.ours == strings.ReplaceAll(c.theirs, "[bad(flag ok]", "[ok]") }},
	{often, "the copy in INBOX and the implicit keep are one copy, there when the message is stored",
		func(c *comparison) bool { return oneInbox(c.ours, c.theirs) }},
	{rare, "two copies in a folder are one, which makes it if either does", func(c *comparison) bool {
		return strings.ReplaceAll(c.ours, " create", "") == strings.ReplaceAll(c.theirs, " create", "")
	}},
	{often, "a message is marked by each test of duplicates that runs; there they are left out where a constant decides",
		func(c *comparison) bool { return withoutMarks(c.ours) == withoutMarks(c.theirs) }},
	{rare, "two tests of the same duplicate run; there they are an error with :last",
		func(c *comparison) bool { return c.theirs == "error" && strings.Count(c.script, "duplicate") > 2 }},
	{often, "vacation :days 0 is a day; there the least period is a setting, a second in this test",
		func(c *comparison) bool {
			day := strings.ReplaceAll(c.theirs, "vacation 1 ", "vacation 86400 ")
			return strings.Contains(c.script, ":days 0") && c.ours == day
		}},
	{often, "a loop over parts in a loop over parts runs; there it has a corrupt binary if it extracts text",
		func(c *comparison) bool {
			return c.theirs == "error" && strings.Contains(c.problems, "corrupt binary") &&
				strings.Contains(c.script, "extracttext")
		}},
	{often, "an :index is obeyed beside the tags of zones; there it is not", scriptHas(`:index [0-9]+( :last)? :(zone|originalzone)`)},
	{often, "a pattern that begins with a question mark begins there (RFC 5228 §2.7.1); there the text after it is " +
		"looked for anywhere", scriptHas(`"\?+[^"?*]+[^"]*\*`)},
	{often, "letters of all languages have no case in regular expressions; there those of ASCII have none",
		scriptHas(`:regex [^;]*[^\x00-\x7f]`)},
	{rare, "letters come before [, \\, ], ^, _ and ` (RFC 4790 §9.2); there after them",
		scriptHas("(?s):value \"[gl][te]\".*[]\\[\\\\^_`]")},
	{rare, "a group without members has no address; there it has one",
		func(c *comparison) bool { return strings.Contains(c.message, "undisclosed-recipients:;") }},
	{rare, "white space stays beside an encoded word, and before the end of a line; there one space is left of it",
		messageHas(`_\?= |[ \t]\r?\n[ \t]|=\?[^?]*\?[bq]\?[^?]*\?=\r?\n `)},
	{rare, "a command without :copy cancels the implicit keep; there not after one with :copy for the same target",
		func(c *comparison) bool {
			return strings.Contains(c.script, ":copy") && strings.HasPrefix(c.theirs, "keep INBOX") &&
				strings.HasSuffix(c.theirs, "\n"+c.ours)
		}},
	{rare, "text is extracted from texts; there from other parts too", func(c *comparison) bool {
		return strings.Contains(c.script, "extracttext") && strings.Contains(c.theirs, "%PDF")
	}},
}

// scriptHas is a difference of scripts with some text.
func scriptHas(expression string) func(*comparison) bool {
	re := regexp.MustCompile(expression)
	return func(c *comparison) bool { return re.MatchString(c.script) }
}

// messageHas is a difference of messages with some text.
func messageHas(expression string) func(*comparison) bool {
	re := regexp.MustCompile(expression)
	return func(c *comparison) bool { return re.MatchString(c.message) }
}

// oneInbox reports whether actions are the same but for several copies in INBOX, of which ours is one, with its flags.
func oneInbox(ours, theirs string) bool {
	inbox := func(line string) bool {
		rest, ok := strings.CutPrefix(strings.TrimPrefix(strings.TrimPrefix(line, "store "), "keep "), "INBOX")
		return ok && (rest == "" || rest[0] == ' ')
	}
	flags := func(line string) string { return line[strings.Index(line, "INBOX"):] }
	var copies, others [2][]string
	for i, actions := range []string{ours, theirs} {
		for line := range strings.SplitSeq(actions, "\n") {
			if inbox(line) {
				copies[i] = append(copies[i], flags(line))
			} else {
				others[i] = append(others[i], line)
			}
		}
	}
	return len(copies[0]) == 1 && len(copies[1]) > 1 && slices.Contains(copies[1], copies[0][0]) &&
		slices.Equal(others[0], others[1])
}

func withoutMarks(actions string) string {
	list := slices.DeleteFunc(strings.Split(actions, "\n"), func(s string) bool { return strings.HasPrefix(s, "mark") })
	return strings.Join(list, "\n")
}

var refusalDifferences = []difference{
	{1000, "what has no end is reported where it begins, there where the script ends", func(c *comparison) bool {
		return strings.Contains(c.problems, "error: end of file before end of") && strings.HasPrefix(c.ours, "refused in")
	}},
	{rare, "scripts are UTF-8 (RFC 5228 §2.1); there strings need not be", func(c *comparison) bool {
		return !utf8.ValidString(c.script) && strings.HasPrefix(c.ours, "refused in line ")
	}},
	{rare, "a NUL in a string is reported where that begins, there where the NUL is", func(c *comparison) bool {
		return strings.Contains(c.problems, "encountered NUL character in")
	}},
	{rare, "a tag stands once (RFC 5228 §2.6.2); there :anychild may stand twice", scriptHas(`:anychild :anychild`)},
	{rare, "the name of a variable is no number (RFC 5229 §3); there that of flags may be", scriptHas(`hasflag.*"[0-9]+" "`)},
	{rare, "a missing semicolon or comma is reported where it is missing, there where what it ends begins",
		func(c *comparison) bool {
			return strings.Contains(c.problems, "missing semicolon") || strings.Contains(c.problems, "accepts no sub-tests")
		}},
	{rare, "what follows a test that is always true is checked; there it is not", scriptHas(`if (true|not false)`)},
	{rare, "an argument too many has a line; there the code generation fails", func(c *comparison) bool {
		return c.theirs == "refused" && strings.Contains(c.problems, "code generation failed")
	}},
}

// leastEqualCounts is how many of a hundred scripts have to have as many errors in both engines. The first one counts;
// after it both guess how the script goes on.
const leastEqualCounts = 85

// A tally counts what both engines said alike, and which differences there were.
type tally struct {
	mu          sync.Mutex
	differences []difference
	counts      []int
	alike       map[string]int
}

func newTally(differences []difference) *tally {
	return &tally{differences: differences, counts: make([]int, len(differences)), alike: map[string]int{}}
}

func (y *tally) same(what string) {
	y.mu.Lock()
	defer y.mu.Unlock()
	y.alike[what]++
}

// explains finds the reason of a difference.
func (y *tally) explains(c *comparison) bool {
	y.mu.Lock()
	defer y.mu.Unlock()
	for i, d := range y.differences {
		if d.is(c) {
			y.counts[i]++
			return true
		}
	}
	return false
}

// report fails the test where a row of the table had no case.
func (y *tally) report(t *testing.T, n int, took time.Duration) {
	t.Logf("%d cases in %v; alike: %v", n, took.Round(time.Millisecond), y.alike)
	for i, d := range y.differences {
		t.Logf("%4d differ: %s", y.counts[i], d.reason)
		if y.counts[i] == 0 && n >= d.among {
			t.Errorf("no case differs because %s", d.reason)
		}
	}
}
