package daemon

import (
	"bytes"
	"log/slog"
	"os"
	"strings"
	"testing"

	"golang.org/x/sync/semaphore"
)

// A reload that panics leaves the old configuration in force, and says so.
func TestPanicInReload(t *testing.T) {
	var text bytes.Buffer
	log := slog.New(slog.NewTextHandler(&text, nil))
	path := t.TempDir() + "/doorstep.toml"
	content := []byte("hostname = \"mx.example\"\n[[listen]]\naddress = \"unix:lmtp.sock\"\n[store]\npath = " +
		"\"/mail/{domain}/{local}\"\n[[domain]]\nname = \"example\"\n")
	if err := os.WriteFile(path, content, 0o600); err != nil {
		t.Fatal(err)
	}
	d := &daemon{path: path, log: log, notifier: &notifier{log: log}, orders: semaphore.NewWeighted(1),
		instances: newInstances(log)} // without a configuration before
	r := d.reload()
	if !strings.Contains(r.Error, "the old configuration stays in force") ||
		!strings.Contains(text.String(), "panic in a reload") {
		t.Errorf("answer %+v\n%s", r, text.String())
	}
}
