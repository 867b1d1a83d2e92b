package node

import (
	"strings"
	"testing"
	"time"

	"github.com/cachemesh/cachemesh/internal/wire"
)

func TestANodeWhoseIDAnotherHasIsNotReadyAndRecovers(t *testing.T) {
	cfg := embedded
	cfg.ID, cfg.Heartbeat = "one", 100*time.Millisecond
	n := start(t, cfg)
	subj, err := wire.NewSubjects("default", "one")
	if err != nil {
		t.Fatal(err)
	}
	sub, err := n.Conn().SubscribeSync(subj.AllOf())
	if err != nil {
		t.Fatal(err)
	}
	msg, err := sub.NextMsg(5 * time.Second)
	if err != nil {
		t.Fatal(err)
	}
	decoded, err := wire.Decode(msg.Data)
	if err != nil {
		t.Fatal(err)
	}
	taken, err := wire.Append(nil, &wire.Taken{ID: "one", Nonce: decoded.(*wire.Beat).Nonce})
	if err != nil {
		t.Fatal(err)
	}
	if err := n.Conn().Publish(subj.To("one"), taken); err != nil {
		t.Fatal(err)
	}
	eventually(t, "it is not ready", func() bool {
		err := n.Ready()
		return err != nil && strings.Contains(err.Error(), "displaced: another live member has the ID one")
	})
	eventually(t, "it is ready again", func() bool { return n.Ready() == nil })
}
