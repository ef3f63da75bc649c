package route

import (
	"context"
	"strconv"
	"strings"

	"github.com/doorstep-mail/doorstep/delivery/directory"
)

// note adds a step for those who ask.
func (q *question) note(s Step) {
	if q.steps != nil {
		*q.steps = append(*q.steps, s)
	}
}

// explainClaims notes that several directories have an account.
func (q *question) explainClaims(ctx context.Context, a *directory.Account) {
	chain, ok := q.router.Resolver.Directory.(interface {
		Claims(ctx context.Context, key directory.Key) []string
	})
	if q.steps == nil || !ok {
		return
	}
	if names := chain.Claims(ctx, a.Key); len(names) > 1 {
		q.note(Step{"twice", a.Key.String(), "in " + strings.Join(names, " and ") + ": the first counts"})
	}
}

// explainRules notes the rules for the mail of an account.
func (q *question) explainRules(a *directory.Account) {
	if q.steps == nil {
		return
	}
	for _, rule := range q.router.Rules {
		if !rule.isFor(a) {
			continue
		}
		input := rule.Field + " " + rule.Test.String()
		if rule.Test != RuleExists {
			input += " " + strconv.Quote(rule.Value)
		}
		q.note(Step{"rule", input, rule.Folder})
	}
}
