package main

import (
	"fmt"
	"os"
	"path/filepath"
	"time"
)

// linksMost is how many names are given to one file: ext4 takes 65,000.
const linksMost = 60_000

// grow makes a mailbox in which there is mail already. The files are links to a few, which
// makes them quickly; the directory is as large as that of others.
func grow(s site, box string, files int) error {
	if err := makeMaildir(s, box); err != nil {
		return err
	}
	dir := filepath.Join(s.maildir(box), "new")
	had, err := os.Open(dir)
	if err != nil {
		return err
	}
	names, err := had.Readdirnames(1)
	_ = had.Close() // it was only read
	if len(names) > 0 {
		return nil // it has grown before
	}
	_ = err // io.EOF, of an empty directory
	first, last := "", time.Now()
	for i := range files {
		name := filepath.Join(dir, fmt.Sprintf("%d.M%dP1Q%d.grown,S=9,W=13", 1_700_000_000+i, i%1_000_000, i))
		if i%linksMost == 0 {
			first = name
			if err = os.WriteFile(name, []byte("a: b\n\nc\n\n"), 0o600); err == nil {
				err = s.own(name)
			}
		} else {
			err = os.Link(first, name)
		}
		if err != nil {
			return err
		}
		if time.Since(last) > 5*time.Second {
			last = time.Now()
			say("  %s of %s files made", thousands(i), thousands(files))
		}
	}
	return nil
}
