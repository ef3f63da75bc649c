package table

import (
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/doorstep-mail/doorstep/config/hint"
)

// A house is a configuration of one table, an array of tables, and keys outside of both.
type house struct {
	Name  string
	Door  door
	Rooms []room
}

type door struct {
	Open   bool
	Mode   fs.FileMode
	Lock   string
	Opened time.Time
	Wait   time.Duration
	Width  int64
	Keys   int
}

type room struct {
	Name  string
	Doors []string
	Door  door
	Size  int
}

var doorKeys = []Key[door]{
	{Name: "open", Kind: Toggle(func(d *door) *bool { return &d.Open }), Default: "true", Doc: "Open."},
	{Name: "mode", Kind: Mode(func(d *door) *fs.FileMode { return &d.Mode }), Example: `"0600"`},
	{Name: "lock", Kind: Word(func(d *door) *string { return &d.Lock }, "bolt", "latch"), Example: `"bolt"`},
	{Name: "opened", Kind: Timestamp(func(d *door) *time.Time { return &d.Opened }), Example: `"2014-04-03"`},
	{Name: "wait", Default: `"5m"`, Restart: true, Doc: "How long.",
		Kind: Duration(time.Second, time.Hour, func(d *door) *time.Duration { return &d.Wait })},
	{Name: "width", Kind: Size(1, 1<<20, func(d *door) *int64 { return &d.Width }), Example: `"1KiB"`},
	{Name: "keys", Kind: Count(1, 9, func(d *door) *int { return &d.Keys }), Default: "2"},
}

func parts() []Part[house] {
	return []Part[house]{
		One(func(h *house) *house { return h }, Section[house]{Keys: []Key[house]{
			{Name: "name", Kind: Path(func(h *house) *string { return &h.Name }), Example: `"x"`},
		}}),
		One(func(h *house) *door { return &h.Door }, Section[door]{Name: "door", Keys: doorKeys,
			Foreign: Foreign{[]string{"bell"}, "ring there"}}),
		Many(func(h *house) *[]room { return &h.Rooms }, Section[room]{Name: "room", Initial: room{Size: 7},
			Keys: append([]Key[room]{
				{Name: "name", Required: true, Example: `"hall"`,
					Kind: Parsed("a name", parseName, func(r *room) *string { return &r.Name })},
				{Name: "doors", Kind: ParsedList("names", NotEmpty("no door", "leave it out"), parseName,
					func(r *room) *[]string { return &r.Doors }), Default: `["front"]`},
			}, Of(func(r *room) *door { return &r.Door }, doorKeys...)...)}),
	}
}

func parseName(s string) (string, error) {
	if strings.ToLower(s) != s {
		return "", hint.New("upper case", "")
	}
	return s, nil
}

// read reads documents, the first of which is /etc/0.toml.
func read(t *testing.T, texts ...string) (*Reader[house], []string) {
	t.Helper()
	r := NewReader(parts())
	for i, text := range texts {
		if !r.Read(fmt.Sprintf("%d.toml", i), "/etc", text) {
			t.Fatalf("not read: %v", r.Problems)
		}
	}
	r.ApplyDefaults()
	var lines []string
	for _, p := range r.Problems {
		line, column := p.Place.Position()
		text := fmt.Sprintf("%d:%d %s: %s", line, column, p.Place.Key, p.Text)
		if p.Hint != "" {
			text += " (" + p.Hint + ")"
		}
		lines = append(lines, text)
	}
	return r, lines
}

// TestRead: sections of several documents add up, what is not set has its default, and each key is read into the
// section it belongs to.
func TestRead(t *testing.T) {
	r, problems := read(t,
		"name = \"x/../y\"\n[door]\nlock = \"latch\"\nkeys = 3\n[[room]]\nname = \"hall\"\nopen = false\nwait = \"1m30s\"\n",
		"door.width = \"2KiB\"\n[[room]]\nname = \"attic\"\ndoors = [\"a\", \"b\"]\nmode = \"0640\"\nopened = 2014-04-03\n")
	if len(problems) > 0 {
		t.Fatal(problems)
	}
	five := 5 * time.Minute
	want := house{
		Name: "/etc/y",
		Door: door{Open: true, Lock: "latch", Wait: five, Keys: 3, Width: 2048},
		Rooms: []room{
			{Name: "hall", Doors: []string{"front"}, Size: 7, Door: door{Wait: 90 * time.Second, Keys: 2}},
			{Name: "attic", Doors: []string{"a", "b"}, Size: 7, Door: door{
				Open: true, Wait: five, Keys: 2, Mode: 0o640, Opened: time.Date(2014, 4, 4, 0, 0, 0, 0, time.UTC),
			}},
		},
	}
	if diff := cmp.Diff(want, r.Config); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
	var set []string
	for _, e := range r.Entries() {
		if e.Value != nil {
			set = append(set, e.Path+" "+e.Value.Where())
		}
	}
	wantSet := []string{
		"name 0.toml:1", "door.lock 0.toml:3", "door.width 1.toml:1", "door.keys 0.toml:4",
		"room[0].name 0.toml:6", "room[0].open 0.toml:7", "room[0].wait 0.toml:8",
		"room[1].name 1.toml:3", "room[1].doors 1.toml:4", "room[1].mode 1.toml:5", "room[1].opened 1.toml:6",
	}
	if diff := cmp.Diff(wantSet, set); diff != "" {
		t.Errorf("set (-want +got)\n%s", diff)
	}
	if v := r.Table("door").Value("width"); v == nil || v.Key != "door.width" || r.Table("door").Sets("open") {
		t.Errorf("door.width is %+v", v)
	}
}

// TestProblems: of each kind of mistake, what is wrong, where, and what to do about it.
func TestProblems(t *testing.T) {
	for text, want := range map[string]string{
		"name = 1":         "1:8 name: must be a string, not a number (write it in quotes)",
		"name = [1]":       "1:8 name: must be a string, not an array",
		"name = \"\"":      "1:8 name: the path is empty",
		"name = \"~/x\"":   "1:8 name: ~ has no meaning here (write the whole path)",
		"nam = \"x\"":      "1:1 nam: unknown key (did you mean name?)",
		"keys = 1":         "1:1 keys: unknown key (it belongs to [door] or [[room]])",
		"unheard = 1":      "1:1 unheard: unknown key (doorstep config default shows all keys)",
		"door = 1":         "1:1 door: must be one table, not a number (write [door])",
		"[room]":           "1:2 room: must be an array of tables, not a table (write [[room]])",
		"[[room]]":         "1:3 room[0]: name is missing (write name = \"hall\")",
		"[door]\nbell = 1": "2:1 door.bell: unknown key (ring there)",
		"[door]\nunheard = 1": "2:1 door.unheard: unknown key " +
			"([door] takes open, mode, lock, opened, wait, width, keys)",
		"[door]\nopen = \"true\"":   "2:8 door.open: must be true or false, not a string (write true without quotes)",
		"[door]\nmode = 660":        "2:8 door.mode: must be a mode in quotes (write \"0660\")",
		"[door]\nmode = \"0999\"":   "2:8 door.mode: \"0999\" is not a mode (write \"0660\")",
		"[door]\nlock = \"lach\"":   "2:8 door.lock: \"lach\" is not \"bolt\" or \"latch\" (did you mean \"latch\"?)",
		"[door]\nopened = 10:00:00": "2:10 door.opened: has no zone (write \"2014-04-03T23:01:00Z\", or \"2014-04-03\")",
		"[door]\nwait = \"0s\"":     "2:8 door.wait: must be at least 1s",
		"[door]\nwait = 5":          "2:8 door.wait: must be a string with a unit (write \"5s\")",
		"[door]\nwait = \"5 min\"":  "2:8 door.wait: \"5 min\" is not a duration (write \"5m\")",
		"[door]\nwidth = \"2MiB\"":  "2:9 door.width: must be at most 1MiB",
		"[door]\nwidth = -1":        "2:9 door.width: must not be negative",
		"[door]\nwidth = \"5kb\"":   "2:9 door.width: \"5kb\" is not a size (write \"5KiB\")",
		"[door]\nkeys = 10":         "2:8 door.keys: must be at most 9",
		"[door]\nkeys = \"2\"":      "2:8 door.keys: must be a whole number, not a string (write 2 without quotes)",
		"[[room]]\nname = \"a\"\ndoors = \"b\"": "3:9 room[0].doors: must be a list of strings, not a string " +
			"(write [\"b\"])",
		"[[room]]\nname = \"a\"\ndoors = []": "3:9 room[0].doors: no door (leave it out)",
	} {
		if _, problems := read(t, text); !slices.Equal(problems, []string{want}) {
			t.Errorf("%q\ngot  %q\nwant %q", text, problems, want)
		}
	}
	_, problems := read(t, "name = \"a\"\n[door]\nkeys = 1\n", "name = \"b\"\n[door]\nkeys = 1\n")
	want := []string{"1:1 name: already set at 0.toml:1", "3:1 door.keys: already set at 0.toml:3"}
	if diff := cmp.Diff(want, problems); diff != "" {
		t.Errorf("set twice (-want +got)\n%s", diff)
	}
}

// TestElements: elements that could not be read are left out, so that the others go with what was stored.
func TestElements(t *testing.T) {
	r, problems := read(t, "[[room]]\nname = \"a\"\ndoors = [\"X\", \"b\", \"Y\", \"c\"]\n")
	stored := r.Config.Rooms[0].Doors
	if len(problems) != 2 || !slices.Equal(stored, []string{"b", "c"}) {
		t.Fatalf("problems %q, stored %q", problems, stored)
	}
	for i, v := range r.Element("room", 0).Elements("doors") {
		if v.Data != stored[i] || v.Key != fmt.Sprintf("room[0].doors[%d]", 2*i+1) {
			t.Errorf("element %d is %v, %s", i, v.Data, v.Key)
		}
	}
}

// TestSuspect: after a mistake in what names an element, or a key that may be misspelled, nothing is concluded from
// what is missing.
func TestSuspect(t *testing.T) {
	for text, suspects := range map[string][]string{
		"nmae = \"x\"":                     {"name"},
		"[door]\nkyes = 1":                 {"door.keys"},
		"[[room]]\nname = \"A\"":           {"room"},
		"[[room]]\nnaem = \"a\"":           {"room", "room[0].name"},
		"[[room]]":                         {"room"},
		"room = 1":                         {"room"},
		"[[room]]\nname = \"a\"\nkeys = 0": nil,
	} {
		r, _ := read(t, text)
		for _, path := range []string{"name", "door.keys", "room", "room[0].name"} {
			if got, want := r.Suspect(path), slices.Contains(suspects, path); got != want {
				t.Errorf("%q: %s is suspect: %v, want %v", text, path, got, want)
			}
		}
	}
}

func TestProblemsAreBounded(t *testing.T) {
	r, problems := read(t, strings.Repeat("[[room]]\nkeys = 0\n", MaxProblems))
	if len(problems) != MaxProblems {
		t.Errorf("%d problems", len(problems))
	}
	r.AddFile("x", errors.New("y"))
	if len(r.Problems) != MaxProblems {
		t.Errorf("%d problems after one more", len(r.Problems))
	}
}

func TestSizes(t *testing.T) {
	for text, want := range map[string]int64{"0": 0, "123": 123, "1KiB": 1024, "50MiB": 50 << 20, "8191TiB": 8191 << 40} {
		n, err := ParseSize(text)
		if err != nil || n != want || FormatSize(n) != text {
			t.Errorf("%s is %d (%v), written %s", text, n, err, FormatSize(n))
		}
	}
	for text, want := range map[string]string{
		"":                       `"" is not a size (write "50MiB", with KiB, MiB, GiB or TiB, or a number of octets)`,
		"1MB":                    `"1MB" is not a size (write "1MiB")`,
		"1 furlong":              `"1 furlong" is not a size (units are KiB, MiB, GiB and TiB)`,
		"9999999999999999999TiB": "too large a size",
	} {
		if _, err := ParseSize(text); err == nil || err.Error() != want {
			t.Errorf("%q: %v, want %s", text, err, want)
		}
	}
}
