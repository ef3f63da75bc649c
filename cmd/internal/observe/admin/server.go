// Package admin is the listener for those who look after the server: metrics, health, the status
// page and live traces, over HTTP. Everything on it is read only.
package admin

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"net/http"
	"time"

	"github.com/doorstep-mail/doorstep/cmd/internal/observe/status"
	"github.com/doorstep-mail/doorstep/cmd/internal/observe/trace"
)

const (
	// maxHeader bounds the header of a request, in octets.
	maxHeader = 16 << 10
	// patience is how long any answer may take to be written, traces left aside.
	patience = 30 * time.Second
)

// A Server answers. Set the fields before Serve.
type Server struct {
	// Metrics answers /metrics.
	Metrics http.Handler
	// Status is what the page shows.
	Status func(ctx context.Context) *status.Snapshot
	// Ready returns the reasons why no mail can be taken now; none where all is well.
	Ready func(ctx context.Context) []string
	// Trace is what can be watched.
	Trace *trace.Hub
	// Token is what clients must show for all but /healthz; "" where the socket decides.
	Token string
	// Local is set on a socket that has no name in the network: no browser can be led to it.
	Local bool
	Log   *slog.Logger

	http  http.Server
	crowd crowd
}

// Serve answers on l until Close, and closes it.
func (s *Server) Serve(l net.Listener) error {
	s.http.Handler = s.crowd.answering(s.Handler())
	s.http.ConnState, s.http.ConnContext = s.crowd.note, nameConn
	s.http.ReadHeaderTimeout = 5 * time.Second
	s.http.ReadTimeout = 10 * time.Second
	s.http.WriteTimeout = patience
	s.http.IdleTimeout = time.Minute
	s.http.MaxHeaderBytes = maxHeader
	s.http.ErrorLog = slog.NewLogLogger(s.Log.Handler(), slog.LevelDebug)
	err := s.http.Serve(l)
	if errors.Is(err, http.ErrServerClosed) {
		return nil
	}
	return err
}

// Close ends it; traces are cut off.
func (s *Server) Close() error {
	if s.Trace != nil {
		s.Trace.Close()
	}
	return s.http.Close()
}

// Handler is what the server answers with.
func (s *Server) Handler() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /healthz", s.health)
	mux.Handle("GET /readyz", s.guarded(s.ready))
	mux.Handle("GET /metrics", s.guarded(s.Metrics.ServeHTTP))
	mux.Handle("GET /status.json", s.guarded(s.statusJSON))
	mux.Handle("GET /trace", s.guarded(s.watch))
	mux.Handle("GET /{$}", s.guarded(s.page))
	return s.safe(mux)
}

// health says that the program is alive, and nothing else.
func (s *Server) health(w http.ResponseWriter, _ *http.Request) { say(w, http.StatusOK, "ok") }

// ready says whether mail can be taken, and else why not, a reason on each line.
func (s *Server) ready(w http.ResponseWriter, r *http.Request) {
	if problems := s.Ready(r.Context()); len(problems) > 0 {
		say(w, http.StatusServiceUnavailable, problems...)
		return
	}
	say(w, http.StatusOK, "ready")
}

func say(w http.ResponseWriter, code int, lines ...string) {
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	w.WriteHeader(code)
	for _, line := range lines {
		if _, err := w.Write([]byte(line + "\n")); err != nil {
			return // the client has gone
		}
	}
}
