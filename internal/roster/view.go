package roster

// View is an immutable picture of the mesh as one member sees it. Reads are
// routed by it without taking the roster's lock.
type View struct {
	// Number grows with every change of who is counted or owns what.
	Number uint64
	// Members are those that this member counts, itself included, by ID.
	Members []Member
	// Until is when the first lease among Members ends if nothing more is
	// heard: from then on the host calls Roster.Tick before it uses the view.
	Until int64
	// ServesUntil is when this member will no longer hear a quorum if nothing more
	// is heard: from then on the host answers nothing from memory, asks nobody and
	// keeps nothing, event or no event. In bounded mode it never comes; a moment in
	// the past says that the member is fenced now.
	ServesUntil int64
	// Alone: the host hears nobody at all.
	Alone bool
	// Waking: the process was stopped; answer nothing from memory until
	// Effects.Awake (rule R11).
	Waking bool
	// Displaced: another live member has this one's ID. This one goes on alone, and joins
	// again when that one is silent.
	Displaced bool
	// Joined: Join has returned and this member is not leaving.
	Joined bool
}

// Member is a counted member.
type Member struct {
	Instance
	Self    bool
	Weight  int
	Reader  bool
	Leaving bool
	Joined  bool
	Version string
	Since   int64 // when its Join returned, by the host's clock
	Caches  []Cache
}

// Cache is a cache that a member has opened.
type Cache struct {
	Name string
	// Owned: the member answers for its share of the keys. For other members
	// an announced opening counts; for this one the opening must have been
	// confirmed by everybody counted.
	Owned bool
	// Since when it has been owned, by the host's clock; for another member
	// math.MaxInt64 until that has told that its opening is confirmed.
	Since int64
}

// Fenced reports whether memory must not be used at a moment.
func (v *View) Fenced(now int64) bool { return now >= v.ServesUntil }

// Member finds a counted member by ID.
func (v *View) Member(id string) (Member, bool) {
	for _, m := range v.Members {
		if m.ID == id {
			return m, true
		}
	}
	return Member{}, false
}
