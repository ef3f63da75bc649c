package house

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"go/ast"
	"go/importer"
	"go/parser"
	"go/token"
	"go/types"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

// listed is what "go list" says of a package.
type listed struct {
	ImportPath string
	Dir        string
	Export     string // the file with what importers see of it
	DepOnly    bool   // only a dependency of what was asked for

	GoFiles, TestGoFiles, XTestGoFiles []string

	Module *struct{ Path string }
}

// A checked package is one with its syntax and types, tests left aside.
type checked struct {
	listed
	fset  *token.FileSet
	files []*ast.File
	pkg   *types.Package
	info  types.Info
}

// load reads the packages of the module in root that match patterns. Dependencies are not parsed: their types come
// from the files that the compiler left in the build cache.
func load(root string, patterns []string) ([]*checked, error) {
	packages, err := list(root, patterns)
	if err != nil {
		return nil, err
	}
	exports := map[string]string{}
	for _, p := range packages {
		exports[p.ImportPath] = p.Export
	}
	fset := token.NewFileSet()
	imports := importer.ForCompiler(fset, "gc", func(path string) (io.ReadCloser, error) {
		if exports[path] == "" {
			return nil, fmt.Errorf("no types of package %s", path)
		}
		return os.Open(exports[path])
	})
	var all []*checked
	for _, p := range packages {
		if p.DepOnly || p.Module == nil {
			continue
		}
		c, err := check(p, fset, imports)
		if err != nil {
			return nil, err
		}
		all = append(all, c)
	}
	return all, nil
}

// list asks "go list" for packages and their dependencies.
func list(root string, patterns []string) (packages []listed, err error) {
	args := append([]string{"list", "-export", "-deps", "-json", "--"}, patterns...)
	cmd := exec.Command("go", args...)
	var diagnostics bytes.Buffer
	cmd.Dir, cmd.Stderr = root, &diagnostics
	out, err := cmd.Output()
	if err != nil {
		return nil, fmt.Errorf("go list: %w\n%s", err, diagnostics.Bytes())
	}
	for d := json.NewDecoder(bytes.NewReader(out)); ; {
		var p listed
		switch err := d.Decode(&p); {
		case errors.Is(err, io.EOF):
			return packages, nil
		case err != nil:
			return nil, fmt.Errorf("go list: %w", err)
		}
		packages = append(packages, p)
	}
}

// check parses and type-checks the sources of a package.
func check(p listed, fset *token.FileSet, imports types.Importer) (*checked, error) {
	c := &checked{listed: p, fset: fset, info: types.Info{
		Defs: map[*ast.Ident]types.Object{},
		Uses: map[*ast.Ident]types.Object{},
	}}
	for _, name := range p.GoFiles {
		f, err := parser.ParseFile(fset, filepath.Join(p.Dir, name), nil, parser.SkipObjectResolution)
		if err != nil {
			return nil, err
		}
		c.files = append(c.files, f)
	}
	var err error
	c.pkg, err = (&types.Config{Importer: imports}).Check(p.ImportPath, fset, c.files, &c.info)
	return c, err
}

// path returns the import path below the module.
func (c *checked) path() string {
	return strings.TrimPrefix(strings.TrimPrefix(c.ImportPath, c.Module.Path), "/")
}

// file returns the name of the file that a position is in.
func (c *checked) file(pos token.Pos) string { return filepath.Base(c.fset.File(pos).Name()) }

// lines returns how many lines a node spans.
func (c *checked) lines(n ast.Node) int {
	return c.fset.Position(n.End()).Line - c.fset.Position(n.Pos()).Line + 1
}
