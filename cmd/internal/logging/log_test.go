package logging

import (
	"bytes"
	"fmt"
	"log/slog"
	"os"
	"strings"
	"syscall"
	"testing"

	"github.com/doorstep-mail/doorstep/config"
)

func TestJournal(t *testing.T) {
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	defer w.Close()
	info, err := w.Stat()
	if err != nil {
		t.Fatal(err)
	}
	stat := info.Sys().(*syscall.Stat_t)
	stream := fmt.Sprintf("%d:%d", stat.Dev, stat.Ino)
	if !isJournal(w, stream) || isJournal(w, stream+"0") || isJournal(w, "") || isJournal(&bytes.Buffer{}, stream) {
		t.Error("the journal is not recognized by its device and inode")
	}
	for _, format := range []config.LogFormat{config.LogText, config.LogJSON} {
		var out bytes.Buffer
		log := New(config.Log{Format: format}, slog.LevelDebug,
			&Output{W: &out, Json: format == config.LogJSON, journal: true})
		log.Debug("a")
		log.Info("level=ERROR")
		log.Warn("c")
		log.Error("d", "time", "t")
		lines := strings.Split(out.String(), "\n")
		for i, want := range []string{"<7>", "<6>", "<4>", "<3>"} {
			if !strings.HasPrefix(lines[i], want) || i < 3 && strings.Contains(lines[i], "time") {
				t.Errorf("%s: %q, want %s and no time", format, lines[i], want)
			}
		}
	}
}
