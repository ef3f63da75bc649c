package dist

import (
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/doorstep-mail/doorstep/cmd/internal/peer"
)

// link is a link or a picture in Markdown: its target without an anchor.
var link = regexp.MustCompile(`\]\(([^)#\s]+)(?:#[^)]*)?\)`)

// named is a file below dist/ that a page tells the reader to use.
var named = regexp.MustCompile("dist/(?:fail2ban|grafana|prometheus)[a-z0-9./]*[a-z]")

// TestPackagedPages: every link of every page in the package leads to a file in the package, and so does every name of
// a filter, a dashboard or a file of alerts.
func TestPackagedPages(t *testing.T) {
	peer.Need(t, "dpkg-deb")
	dir := t.TempDir()
	root := filepath.Join(dir, "root")
	run(t, dir, "dpkg-deb", "-x", buildPackages(t, dir, "1.0.0")[0], root)
	doc := filepath.Join(root, "usr/share/doc/doorstep")

	pages, links := 0, 0
	leadsTo := func(page, target string) {
		links++
		if _, err := os.Stat(target); err != nil {
			t.Errorf("%s: %v", page, err)
		}
	}
	err := filepath.WalkDir(doc, func(page string, _ fs.DirEntry, err error) error {
		if err != nil || filepath.Ext(page) != ".md" {
			return err
		}
		pages++
		text, err := os.ReadFile(page)
		if err != nil {
			return err
		}
		for _, found := range link.FindAllStringSubmatch(string(text), -1) {
			if !strings.Contains(found[1], ":") { // elsewhere on the net
				leadsTo(page, filepath.Join(filepath.Dir(page), found[1]))
			}
		}
		for _, file := range named.FindAllString(string(text), -1) {
			leadsTo(page, filepath.Join(doc, file))
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if pages < 20 || links < 100 {
		t.Errorf("%d pages with %d links", pages, links)
	}
}
