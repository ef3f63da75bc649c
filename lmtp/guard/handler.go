package guard

import (
	"context"
	"log/slog"
)

// NewHandler returns a handler that does as next does, and calls found with each record of Report. found
// is called also where next is not interested in errors.
func NewHandler(next slog.Handler, found func(slog.Record)) slog.Handler {
	return &handler{next, found}
}

type handler struct {
	slog.Handler
	found func(slog.Record)
}

func (h *handler) Enabled(ctx context.Context, level slog.Level) bool {
	return level >= slog.LevelError || h.Handler.Enabled(ctx, level)
}

func (h *handler) Handle(ctx context.Context, r slog.Record) error {
	if r.Level >= slog.LevelError {
		h.look(r)
	}
	if !h.Handler.Enabled(ctx, r.Level) {
		return nil
	}
	return h.Handler.Handle(ctx, r)
}

// look calls found with a record of Report.
func (h *handler) look(r slog.Record) {
	r.Attrs(func(a slog.Attr) bool {
		if a.Key == Key {
			h.found(r)
		}
		return a.Key != Key
	})
}

func (h *handler) WithAttrs(attrs []slog.Attr) slog.Handler {
	return &handler{h.Handler.WithAttrs(attrs), h.found}
}

func (h *handler) WithGroup(name string) slog.Handler {
	return &handler{h.Handler.WithGroup(name), h.found}
}
