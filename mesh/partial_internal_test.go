package mesh

import (
	"context"
	"fmt"
	"strings"
	"testing"
)

func TestAnInvalidationThatIsNotConfirmedIsNoErrorOfTheOrigin(t *testing.T) {
	for _, members := range [][]string{nil, {"a"}, {"a", "b"}} {
		err := &PartialError{Members: members, cause: context.DeadlineExceeded}
		if code := statusOf(fmt.Errorf("here: %w", err)); code != 504 {
			t.Errorf("%v: clients are told code %d", members, code)
		}
		text := err.Error()
		if strings.Contains(text, ": :") || strings.Contains(text, "quorum") != (len(members) == 0) {
			t.Errorf("%v: %s", members, text)
		}
	}
}
