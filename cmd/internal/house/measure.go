package house

import (
	"fmt"
	"go/ast"
	"go/types"
	"os"
	"path/filepath"
	"slices"
)

// Measure measures the packages of the module in root that match patterns, as "go list" takes them. The packages
// must compile.
func Measure(root string, patterns ...string) ([]Package, error) {
	all, err := load(root, patterns)
	if err != nil {
		return nil, err
	}
	var packages []Package
	for _, c := range all {
		p := Package{Path: c.path(), Files: len(c.GoFiles)}
		p.Knot = largestKnot(dependencies(c))
		p.measureTypes(c)
		p.measureFunctions(c)
		if err := p.measureText(c); err != nil {
			return nil, err
		}
		packages = append(packages, p)
	}
	return packages, nil
}

// measureTypes counts the methods and fields of each receiver.
func (p *Package) measureTypes(c *checked) {
	scope := c.pkg.Scope()
	for _, name := range scope.Names() {
		declared, isType := scope.Lookup(name).(*types.TypeName)
		if !isType || declared.IsAlias() {
			continue
		}
		named, isNamed := declared.Type().(*types.Named)
		if !isNamed || named.NumMethods() == 0 {
			continue
		}
		at := fmt.Sprintf("%s/%s: %s", p.Path, c.file(declared.Pos()), name)
		p.Methods.note(name, named.NumMethods())
		if n := named.NumMethods(); n > MaxMethods {
			p.over = append(p.over, fmt.Sprintf("%s has %d methods", at, n))
		}
		if s, isStruct := named.Underlying().(*types.Struct); isStruct {
			p.Fields.note(name, s.NumFields())
			if n := s.NumFields(); n > MaxFields {
				p.over = append(p.over, fmt.Sprintf("%s has methods and %d fields", at, n))
			}
		}
	}
}

// measureFunctions counts the parameters and lines of each function and method.
func (p *Package) measureFunctions(c *checked) {
	for _, f := range c.files {
		for _, d := range f.Decls {
			fn, isFunc := d.(*ast.FuncDecl)
			if !isFunc {
				continue
			}
			name, parameters := fn.Name.Name, fn.Type.Params.NumFields()
			p.Parameters.note(name, parameters)
			p.Function.note(name, c.lines(fn))
			if parameters > MaxParameters {
				at := fmt.Sprintf("%s/%s: %s", p.Path, c.file(fn.Pos()), name)
				p.over = append(p.over, fmt.Sprintf("%s has %d parameters", at, parameters))
			}
		}
	}
}

// measureText counts the lines of the sources, and finds those that are too long, also in tests.
func (p *Package) measureText(c *checked) error {
	for _, name := range slices.Concat(c.GoFiles, c.TestGoFiles, c.XTestGoFiles) {
		text, err := os.ReadFile(filepath.Join(c.Dir, name))
		if err != nil {
			return err
		}
		lines, long := scanGo(string(text))
		for _, line := range long {
			p.Long = append(p.Long, fmt.Sprintf("%s/%s:%d", p.Path, name, line))
		}
		if slices.Contains(c.GoFiles, name) {
			p.Lines += lines
		}
	}
	return nil
}
