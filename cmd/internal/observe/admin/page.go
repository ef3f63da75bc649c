package admin

import (
	"bytes"
	"crypto/rand"
	_ "embed" // the page's parts
	"encoding/json"
	"html/template"
	"net/http"
	"time"

	"github.com/doorstep-mail/doorstep/cmd/internal/observe/status"
)

var (
	//go:embed page.html
	pageHTML string
	//go:embed page.css
	pageCSS string
	//go:embed page.js
	pageJS string

	pageTemplate = template.Must(template.New("page").Funcs(template.FuncMap{
		"took":  status.Took,
		"size":  size,
		"clock": func(t time.Time) string { return t.Format("15:04:05") },
		"date":  func(t time.Time) string { return t.Format("2006-01-02 15:04:05 -0700") },
		"ago":   func(now, t time.Time) string { return status.Long(now.Sub(t)) },
		"rate":  status.Rate,
	}).Parse(pageHTML))
)

// A view is what the page's template gets. Style and Script are files of ours.
type view struct {
	*status.Snapshot
	Charts []chart
	Nonce  string
	Style  template.CSS
	Script template.JS
}

// page is the status page: one answer, with all that it needs in it; or only its main part, for the
// page to bring itself up to date.
func (s *Server) page(w http.ResponseWriter, r *http.Request) {
	snapshot := s.Status(r.Context())
	v := view{snapshot, charts(snapshot), rand.Text(), template.CSS(pageCSS), template.JS(pageJS)}
	var page bytes.Buffer
	part := "page"
	if r.FormValue("part") == "main" {
		part = "main"
	}
	if err := pageTemplate.ExecuteTemplate(&page, part, v); err != nil {
		s.Log.Error("status page", "error", err)
		say(w, http.StatusInternalServerError, "the page cannot be made; the log says why")
		return
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.Header().Set("Content-Security-Policy",
		"default-src 'none'; style-src 'nonce-"+v.Nonce+"'; script-src 'nonce-"+v.Nonce+"'; "+
			"connect-src 'self'; img-src data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'")
	_, _ = page.WriteTo(w) // the client may have gone
}

// statusJSON is the page for programs.
func (s *Server) statusJSON(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(s.Status(r.Context())) // as above
}

// size takes the numbers that a snapshot has.
func size(octets any) string {
	switch n := octets.(type) {
	case int64:
		return status.Size(n)
	case uint64:
		return status.Size(n)
	}
	return ""
}
