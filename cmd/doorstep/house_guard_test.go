package main

import (
	"go/ast"
	"regexp"
	"strings"
	"testing"
)

// tools are packages of programs and tests that serve no mail.
var tools = []string{
	"cmd/internal/bench", "cmd/internal/crash", "cmd/internal/house", "cmd/internal/peer", "lmtp/lmtptest",
	"delivery/directory/directorytest", "delivery/directory/ldap/ldaptest", "lmtp/guard",
}

// harmless are functions that a callback may call unguarded: they end something.
var harmless = regexp.MustCompile(`^(Close|SetDeadline|close)$`)

// TestEveryGoroutineIsGuarded: a panic that no function of its goroutine recovers ends the server. So
// each begins with package guard, be it in the function that it calls.
func TestEveryGoroutineIsGuarded(t *testing.T) {
	guarded := map[string]bool{} // functions, by package and name
	all := sources(t)
	for _, f := range all {
		for _, d := range f.syntax.Decls {
			if fn, ok := d.(*ast.FuncDecl); ok && fn.Body != nil && callsGuard(fn.Body) {
				guarded[f.dir()+" "+fn.Name.Name] = true
			}
		}
	}
	found := 0
	for _, f := range all {
		if f.isTest() || isTool(f.dir()) {
			continue
		}
		if strings.Contains(string(f.text), "sync.WaitGroup") && strings.Contains(string(f.text), ".Go(") {
			t.Errorf("%s: use guard.Group, which brings a panic to where somebody waits", f.path)
		}
		ast.Inspect(f.syntax, func(n ast.Node) bool {
			switch n := n.(type) {
			case *ast.GoStmt:
				found++
				if !callsGuard(n) && !guarded[f.dir()+" "+calledName(n.Call)] {
					t.Errorf("%s: a goroutine without a guard", f.at(n))
				}
			case *ast.CallExpr:
				if calledName(n) != "AfterFunc" {
					break
				}
				found++
				do, literal := n.Args[len(n.Args)-1].(*ast.FuncLit)
				if literal && !callsGuard(do) && !onlyEnds(do) {
					t.Errorf("%s: a callback, which has a goroutine of its own, without a guard", f.at(n))
				}
			}
			return true
		})
	}
	if found < 15 {
		t.Errorf("only %d goroutines found", found)
	}
}

func isTool(dir string) bool {
	for _, tool := range tools {
		if below(dir, tool) {
			return true
		}
	}
	return false
}

// callsGuard reports whether something in n is guarded.
func callsGuard(n ast.Node) (does bool) {
	ast.Inspect(n, func(n ast.Node) bool {
		if s, ok := n.(*ast.SelectorExpr); ok {
			name, ok := s.X.(*ast.Ident)
			does = does || ok && name.Name == "guard" && (s.Sel.Name == "Run" || s.Sel.Name == "Call")
		}
		return !does
	})
	return does
}

// calledName is the name of what is called, without its package or receiver.
func calledName(c *ast.CallExpr) string {
	switch f := c.Fun.(type) {
	case *ast.Ident:
		return f.Name
	case *ast.SelectorExpr:
		return f.Sel.Name
	}
	return ""
}

// onlyEnds reports whether all that a function calls is harmless.
func onlyEnds(do *ast.FuncLit) bool {
	only := true
	ast.Inspect(do.Body, func(n ast.Node) bool {
		if c, ok := n.(*ast.CallExpr); ok {
			name := calledName(c)
			only = only && (harmless.MatchString(name) || name == "Unix")
		}
		return true
	})
	return only
}
