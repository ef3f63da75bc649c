package config

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/doorstep-mail/doorstep/config/internal/table"
)

// maxFile bounds one configuration file, in octets.
const maxFile = 4 << 20

// Load reads the configuration file at path and the conf.d/*.toml beside it, in the order of their names. Arrays of
// tables add up over the files; a key that is no part of an array is set once.
//
// All problems come back at once, in reading order (at most 1000 of them). The Config can be used only if none of them
// is more than a warning (HasErrors). The error says that the file itself cannot be read.
func Load(path string) (*Config, []Problem, error) {
	text, err := readFile(path)
	if err != nil {
		return nil, nil, fmt.Errorf("read configuration: %w", err)
	}
	directory, err := filepath.Abs(filepath.Dir(path))
	if err != nil {
		return nil, nil, fmt.Errorf("resolve %s: %w", path, err)
	}
	r := table.NewReader(sections)
	whole := r.Read(path, directory, text)
	files := []string{path}

	parts, err := filepath.Glob(filepath.Join(escapeGlob(filepath.Dir(path)), "conf.d", "*.toml"))
	if err != nil {
		return nil, nil, fmt.Errorf("list conf.d beside %s: %w", path, err)
	}
	slices.Sort(parts)
	for _, part := range parts {
		files = append(files, part)
		text, err := readPart(part)
		if err != nil {
			r.AddFile(part, err)
			whole = false
			continue
		}
		whole = r.Read(part, filepath.Join(directory, "conf.d"), text) && whole
	}
	// Nothing can be concluded from what is missing if a file could not be read.
	if whole {
		r.ApplyDefaults()
		r.Config.check(&r.Input)
	}
	c := r.Config // without the reader, which still has every octet of the files
	c.origin = newOrigin(r, files)
	return &c, problemsInOrder(r.Problems, files), nil
}

// check completes the configuration and checks what its parts say of one another.
func (c *Config) check(in *table.Input) {
	c.findHostname(in)
	checkListeners(in, c.Listen, c.Limits, c.TLS, c.Auth)
	c.Admin.check(in, c.Listen)
	c.TLS.check(in)
	c.Store.check(in.Table("store"))
	c.State.check(in.Table("state"))
	c.Submission.check(in.Table("submission"), c.Store)
	c.Submission.checkOffers(in, c.Listen)
	c.Submission.Reports.check(in.Table("reports"), c.Hostname, in.Table("submission").Sets("server"))
	checkDirectories(in, c.Directories)
	names := checkNames(in, &c.Accounts, c.Limits)
	names.checkSystemDomains()
	names.checkMaildirs(c.Store)
	c.checkPostmaster(names)
	names.checkLeniency(c.Listen)
	checkRules(names, c.Rules, c.Store.Folders)
	for i := range c.Domains {
		c.Domains[i].checkDetails(in.Element("domain", i), c.Store)
	}
	for i := range c.Directories {
		c.Directories[i].Domains.checkDetails(in.Element("directory", i), c.Store)
	}
	for i := range c.Users {
		c.Users[i].checkOwner(in.Element("user", i), c.Store)
	}
}

// readFile reads a file of bounded size.
func readFile(path string) (text string, err error) {
	f, err := os.Open(path)
	if err != nil {
		return "", err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	b, err := io.ReadAll(io.LimitReader(f, maxFile+1))
	if err != nil {
		return "", err
	}
	if len(b) > maxFile {
		return "", fmt.Errorf("%s is larger than %s", path, table.FormatSize(maxFile))
	}
	return string(b), nil
}

// readPart is readFile for conf.d, where a pipe or a device can only be a mistake.
func readPart(path string) (string, error) {
	info, err := os.Stat(path)
	if err != nil {
		return "", err
	}
	if !info.Mode().IsRegular() {
		return "", errors.New("not a regular file")
	}
	return readFile(path)
}

// escapeGlob makes a pattern that matches path alone.
func escapeGlob(path string) string {
	return strings.NewReplacer(`\`, `\\`, `*`, `\*`, `?`, `\?`, `[`, `\[`).Replace(path)
}
