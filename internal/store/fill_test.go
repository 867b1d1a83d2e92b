package store

import "testing"

func TestADropVoidsAllFillsOfItsKeyAndNoOthers(t *testing.T) {
	s := open(t, Config{})
	a, b, other := s.Begin("k"), s.Begin("k"), s.Begin("other")
	ended := s.Begin("k")
	ended.End()
	ended.End()
	s.Drop("k")
	after := s.Begin("k")
	if !a.Void() || !b.Void() || other.Void() || after.Void() {
		t.Errorf("void: %v %v, other %v, after %v", a.Void(), b.Void(), other.Void(), after.Void())
	}
	if ended.Keep(forEver("v"), 1) || a.Keep(forEver("v"), 1) || b.Keep(forEver("v"), 1) {
		t.Error("an ended or void fill was kept")
	}
	if !after.Keep(forEver("v"), 1) || after.Keep(forEver("v"), 1) {
		t.Error("want one Keep to succeed and the next to fail")
	}
	if s.Begin("nothing").Keep(nil, 1) {
		t.Error("no value was kept")
	}
	other.End()
	for i := range s.stripes {
		if s.stripes[i].fills != [fillLists]*Fill{} {
			t.Error("a fill is left open")
		}
	}
}

func TestWhichOfTwoValuesStands(t *testing.T) {
	val := func(began int64, version uint64, replica bool) *Value {
		return &Value{Data: []byte("v"), Began: began, Origin: OriginOf("", version, nil), Replica: replica, Until: 100}
	}
	tests := []struct {
		name       string
		kept, next *Value
		now        int64
		want       bool
	}{
		{"a later load replaces", val(1, 0, false), val(2, 0, false), 1, true},
		{"an earlier load does not", val(2, 0, false), val(1, 0, false), 1, false},
		{"an earlier load replaces what has expired", val(2, 0, false), val(1, 0, false), 100, true},
		{"the same load replaces", val(1, 0, false), val(1, 0, false), 1, true},
		{"the same load does not make an owned value a replica", val(1, 0, false), val(1, 0, true), 1, false},
		{"the same load makes a replica owned", val(1, 0, true), val(1, 0, false), 1, true},
		{"a later load makes a replica of an owned value", val(1, 0, false), val(2, 0, true), 1, true},
		{"a lower version does not replace", val(1, 9, false), val(2, 8, false), 1, false},
		{"a lower version replaces what has expired", val(1, 9, false), val(2, 8, false), 100, true},
		{"no version replaces any", val(1, 9, false), val(2, 0, false), 1, true},
		{"any version replaces none", val(1, 0, false), val(2, 1, false), 1, true},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s := open(t, Config{ReplicaBytes: 1 << 20})
			mustKeep(t, s, "k", tt.kept)
			if got := s.Begin("k").Keep(tt.next, tt.now); got != tt.want {
				t.Errorf("Keep is %v, want %v", got, tt.want)
			}
			want := tt.kept
			if tt.want {
				want = tt.next
			}
			if s.Peek("k") != want {
				t.Error("the wrong one stands")
			}
			if st := s.Stats(); st.Owned.Entries+st.Replica.Entries != 1 {
				t.Errorf("not one value: %+v", st)
			}
		})
	}
}

func TestAValueIsKeptOnce(t *testing.T) {
	s := open(t, Config{})
	v := forEver("v")
	mustKeep(t, s, "k", v)
	if s.Begin("k").Keep(v, 1) || s.Begin("other").Keep(v, 1) || s.Replace("k", v, v) {
		t.Error("it is kept again")
	}
	if s.Get("k", 1) != v || s.Get("other", 1) != nil {
		t.Error("that it was tried again has changed something")
	}
	s.Drop("k")
	if s.Begin("k").Keep(v, 1) || s.Get("k", 1) != nil {
		t.Error("what was dropped has come back")
	}
}

func TestValuesThatDoNotFitAreNotKept(t *testing.T) {
	s := open(t, Config{OwnedBytes: 1 << 20})
	fits := &Value{Data: make([]byte, 1<<18), Until: 10}
	mustKeep(t, s, "k", fits)
	if s.Get("k", 1) != fits {
		t.Error("a quarter of the budget is not found")
	}
	if s.Begin("big").Keep(&Value{Data: make([]byte, 1<<18+1), Until: 10}, 1) {
		t.Error("more than a quarter was kept")
	}
	if s.Begin("costly").Keep(&Value{Cost: 1<<18 + 1, Until: 10}, 1) {
		t.Error("a cost of more than a quarter was kept")
	}
	if s.Begin("r").Keep(&Value{Replica: true, Until: 10}, 1) {
		t.Error("a replica was kept without a budget")
	}
	tiny := open(t, Config{OwnedBytes: overhead})
	if tiny.Begin("k").Keep(&Value{Until: 10}, 1) {
		t.Error("more than the whole budget was kept")
	}
}
