package wire

import (
	"errors"
	"strings"
	"testing"
)

func TestSubjectsFollowTheGrammar(t *testing.T) {
	s, err := NewSubjects("shop", "me")
	if err != nil {
		t.Fatal(err)
	}
	for got, want := range map[string]string{
		s.All():               "mesh.shop.all.me",
		s.AllOf():             "mesh.shop.all.*",
		s.To("you"):           "mesh.shop.to.you.me",
		s.ToMe():              "mesh.shop.to.me.*",
		s.Ask("you"):          "mesh.shop.ask.you.me",
		s.AskMe():             "mesh.shop.ask.me.*",
		s.Answer("you"):       "mesh.shop.ans.you.me",
		s.AnswerMe():          "mesh.shop.ans.me.*",
		s.ReplyFrom("you"):    "mesh.shop.ans.me.you",
		s.Get("users"):        "mesh.shop.get.users",
		s.Invalidate("users"): "mesh.shop.invalidate.users",
	} {
		if got != want {
			t.Errorf("got %s, want %s", got, want)
		}
	}
}

func TestTheReplySubjectIsTheOneTheReceiverAnswersOn(t *testing.T) {
	me, _ := NewSubjects("shop", "me")
	you, _ := NewSubjects("shop", "you")
	if me.ReplyFrom("you") != you.Answer("me") {
		t.Errorf("I wait on %s, you answer on %s", me.ReplyFrom("you"), you.Answer("me"))
	}
	for _, subject := range []string{you.All(), you.To("me"), you.Ask("me"), you.Answer("me"), me.ReplyFrom("you")} {
		if id, ok := Sender(subject); !ok || id != "you" {
			t.Errorf("Sender(%s) is %q, %v", subject, id, ok)
		}
	}
}

func TestASubjectWithoutAValidSenderHasNone(t *testing.T) {
	for _, subject := range []string{"", "me", ".", "mesh.shop.all.", "mesh.shop.all.*", "mesh.shop.all.>",
		"mesh.shop.all.a b", "mesh.shop.all.\xff", "mesh.shop.all." + strings.Repeat("x", MaxToken+1)} {
		if id, ok := Sender(subject); ok || id != "" {
			t.Errorf("Sender(%q) is %q, %v", subject, id, ok)
		}
	}
}

func TestNamesAreOneToken(t *testing.T) {
	for _, s := range []string{"a", "Z", "0", "_", "-", "users-2_B", strings.Repeat("x", MaxToken)} {
		if !ValidToken(s) {
			t.Errorf("%q is refused", s)
		}
		if _, err := NewSubjects(s, s); err != nil {
			t.Errorf("%q: %v", s, err)
		}
	}
	for _, s := range []string{"", ".", "a.b", "*", ">", " ", "a b", "a\x00", "ü", "\xff", "a\n", "$SYS", "a/b", strings.Repeat("x", MaxToken+1)} {
		if ValidToken(s) {
			t.Errorf("%q passes", s)
		}
		if _, err := NewSubjects(s, "me"); !errors.Is(err, ErrToken) || !strings.Contains(err.Error(), "mesh name") {
			t.Errorf("mesh %q: %v", s, err)
		}
		if _, err := NewSubjects("shop", s); !errors.Is(err, ErrToken) || !strings.Contains(err.Error(), "member ID") {
			t.Errorf("member %q: %v", s, err)
		}
	}
}

func TestKindsAndStatusesHaveNames(t *testing.T) {
	seen := map[string]bool{}
	for k := AskGet; k <= AskCancel; k++ {
		seen[k.String()] = true
	}
	for s := Value; s <= Pulled; s++ {
		seen[s.String()] = true
	}
	if len(seen) != int(AskCancel)+int(Pulled) || seen[""] {
		t.Errorf("names: %v", seen)
	}
	for _, got := range []string{Asked(0).String(), Asked(200).String(), Status(0).String(), Status(200).String()} {
		if !strings.Contains(got, "(") {
			t.Errorf("an unknown one is called %q", got)
		}
	}
}
