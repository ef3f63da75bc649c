package crash

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// A messageID tells a message from all others, and what is in it.
type messageID struct{ session, n int }

// text is the whole message as sent, with LF line ends: a function of its id, so that any file
// found can be held against what it should be.
func (id messageID) text() string {
	rng := rand.New(rand.NewPCG(uint64(id.session), uint64(id.n)))
	lines := 1 + rng.IntN(100)
	if rng.IntN(20) == 0 {
		lines *= 40 // up to 256 KiB, more than is kept in memory
	}
	var b strings.Builder
	fmt.Fprintf(&b, "%s%d %d\n\n", head, id.session, id.n)
	for range lines {
		fmt.Fprintf(&b, "%016x%016x%016x%016x\n", rng.Uint64(), rng.Uint64(), rng.Uint64(), rng.Uint64())
	}
	return b.String()
}

// head is the beginning of each message, after the trace fields.
const head = "From: <s@example.com>\nSubject: "

// A copyID is one recipient's copy.
type copyID struct {
	messageID
	user int
}

// A finding is what a store has.
type finding struct {
	whole map[copyID]int // how often each is there
	torn  []string       // files that are less than whole, or other than they should be
}

// look reads every mailbox of a store in which each copy is its recipient's own.
func look(t *testing.T, store string) finding {
	t.Helper()
	return lookFor(t, store, recognize)
}

// lookFor reads every mailbox of a store.
func lookFor(t *testing.T, store string, recognize func(file string, user int) (messageID, bool)) finding {
	t.Helper()
	f := finding{whole: map[copyID]int{}}
	for user := range users {
		in := lookAt(t, store, user, recognize)
		f.torn = append(f.torn, in.torn...)
		maps.Copy(f.whole, in.whole)
	}
	return f
}

// lookAt reads one mailbox.
func lookAt(t *testing.T, store string, user int, recognize func(file string, user int) (messageID, bool)) finding {
	t.Helper()
	f := finding{whole: map[copyID]int{}}
	for _, file := range stored(t, store, user) {
		b, err := os.ReadFile(file)
		id, ok := recognize(string(b), user)
		if !ok {
			f.torn = append(f.torn, fmt.Sprintf("%s: %d octets, %v", strings.TrimPrefix(file, store), len(b), err))
			continue
		}
		f.whole[copyID{id, user}]++
	}
	return f
}

// stored lists the files that a user's readers see.
func stored(t *testing.T, store string, user int) (files []string) {
	t.Helper()
	for _, dir := range []string{"new", "cur"} {
		in, err := filepath.Glob(filepath.Join(maildir(store, user), dir, "*"))
		if err != nil {
			t.Fatal(err)
		}
		files = append(files, in...)
	}
	return files
}

// missing returns what was acknowledged and is not there.
func missing(acked map[copyID]bool, f finding) (lost []copyID) {
	for c := range acked {
		if f.whole[c] == 0 {
			lost = append(lost, c)
		}
	}
	return lost
}

// recognize reports whether a file is a message, octet by octet, after the trace fields that
// this recipient's copy must have.
func recognize(file string, user int) (id messageID, ok bool) {
	return recognizeBehind(file, "Return-Path: <s@example.com>", "Delivered-To: "+address(user), "Received: from ")
}

// recognizeBehind reports whether a file is a message after trace fields that begin so.
func recognizeBehind(file string, fields ...string) (id messageID, ok bool) {
	i := strings.Index(file, head)
	if i < 0 {
		return id, false
	}
	trace, text := file[:i], file[i:]
	if n, _ := fmt.Sscanf(text[len(head):], "%d %d\n", &id.session, &id.n); n != 2 || text != id.text() {
		return id, false
	}
	for line := range strings.Lines(trace) {
		if len(fields) > 0 && strings.HasPrefix(line, fields[0]) {
			fields = fields[1:]
		}
	}
	return id, len(fields) == 0 && strings.HasSuffix(trace, "\n")
}

// judge holds a store against what clients were answered, and returns the number of acknowledged
// copies that are not there.
func judge(t *testing.T, what string, acked map[copyID]bool, f finding) (lost int) {
	t.Helper()
	lost = len(missing(acked, f))
	twice := 0
	for _, n := range f.whole {
		if n > 1 {
			twice++
		}
	}
	t.Logf("%s: %d acknowledged, %d lost, %d torn, %d more are there", what, len(acked), lost, len(f.torn),
		len(f.whole)-len(acked)+lost)
	if lost > 0 || len(f.torn) > 0 {
		slices.Sort(f.torn)
		t.Errorf("%s: LMTP-07: %d of %d acknowledged messages are lost; torn: %.10q", what, lost, len(acked), f.torn)
	}
	if twice > 0 {
		t.Errorf("%s: %d messages are there more than once", what, twice)
	}
	return lost
}

// The judge sees what it is to see.
func TestRecognize(t *testing.T) {
	id := messageID{3, 7}
	good := "Return-Path: <s@example.com>\nDelivered-To: " + address(5) + "\nReceived: from x\n\tby y; now\n" + id.text()
	if got, ok := recognize(good, 5); !ok || got != id {
		t.Errorf("a whole file is %v, %v", got, ok)
	}
	for what, bad := range map[string]string{
		"empty":          "",
		"zeros":          strings.Repeat("\x00", len(good)),
		"cut short":      good[:len(good)-1],
		"longer":         good + "x",
		"zeros inside":   good[:len(good)-40] + strings.Repeat("\x00", 40),
		"without trace":  id.text(),
		"another's copy": strings.Replace(good, address(5), address(6), 1),
		"no first line":  good[strings.Index(good, "\n")+1:],
	} {
		if _, ok := recognize(bad, 5); ok {
			t.Errorf("%s: recognized", what)
		}
		if _, ok := recognizeShared(bad, 5); ok {
			t.Errorf("%s: recognized as shared", what)
		}
	}
	shared := strings.Replace(good, "Delivered-To: "+address(5)+"\n", "", 1)
	if _, ok := recognize(shared, 5); ok {
		t.Error("a file without Delivered-To is recognized where each has its own")
	}
	if got, ok := recognizeShared(shared, 5); !ok || got != id {
		t.Errorf("a shared file is %v, %v", got, ok)
	}
}
