package config_test

import (
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/doorstep-mail/doorstep/config"
)

func TestDefaultLoads(t *testing.T) {
	c := load(t, write(t, map[string]string{"doorstep.toml": config.Default()}))
	minimal := load(t, filepath.Join(testdata, "good", "minimal.toml"))
	if diff := cmp.Diff(minimal, c, ours); diff != "" {
		t.Errorf("the default configuration says other than the defaults (-minimal +default)\n%s", diff)
	}
}

// Every example in the default configuration can be used by removing its comment sign.
func TestExamplesLoad(t *testing.T) {
	text := regexp.MustCompile(`(?m)^#(\w+ = |\[)`).ReplaceAllString(config.Default(), "$1")
	if !strings.Contains(text, "\nquota = ") {
		t.Fatal("no example was found")
	}
	// But for these: an owner is said in one way, and only where there may be any; authorities are for TLS.
	text = strings.NewReplacer("\nowners = false", "\nowners = true", "\nuid = ", "\n#uid = ",
		"\nca = ", "\n#ca = ").Replace(text)
	c := load(t, write(t, map[string]string{"doorstep.toml": text}))
	if c.Users[0].Disabled != "defer" || c.Domains[0].CatchAll.IsNull() || len(c.Listen[0].Peers) != 2 {
		t.Errorf("loaded %+v", c)
	}
}

// The reference that administrators read is made from the table of keys.
func TestReferenceIsUpToDate(t *testing.T) {
	golden(t, filepath.Join("..", "docs", "configuration.md"), config.Reference())
}
