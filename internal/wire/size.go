package wire

// What parts of messages take, for who fills a message up to a limit.
const (
	// QuestionBytes is the most that a question takes beside its Key, its Trace and the names in RuledOut.
	QuestionBytes = 96
	// NameBytes is the most that a name takes in a list of names, beside its own bytes.
	NameBytes = 3
)

// Bytes is how many bytes r takes in an answer, without its value.
func (r *Result) Bytes() int {
	n := 1 + 1 + headBytes(r.Number) + 1 + headBytes(uint64(r.Status)) +
		intBytes(r.Length) + intBytes(r.Age) + intBytes(r.Life) + intBytes(r.Spent) + uintBytes(uint64(r.Flags)) +
		textBytes(r.Instead) + textBytes(r.Error) + textBytes(r.ETag) + uintBytes(r.Version) +
		uintBytes(r.Transfer) + intBytes(r.Size) + textBytes(r.Owner)
	if len(r.Tags) > 0 {
		n += 1 + headBytes(uint64(len(r.Tags)))
		for _, tag := range r.Tags {
			n += headBytes(uint64(len(tag))) + len(tag)
		}
	}
	return n
}

// headBytes is what the head of an item takes.
func headBytes(n uint64) int {
	switch {
	case n < follow1:
		return 1
	case n < 1<<8:
		return 2
	case n < 1<<16:
		return 3
	case n < 1<<32:
		return 5
	}
	return 9
}

// uintBytes is what a field of that number takes: none if it is zero.
func uintBytes(v uint64) int {
	if v == 0 {
		return 0
	}
	return 1 + headBytes(v)
}

func intBytes(v int64) int {
	if v < 0 {
		v = -1 - v
		return 1 + headBytes(uint64(v))
	}
	return uintBytes(uint64(v))
}

func textBytes(s string) int {
	if s == "" {
		return 0
	}
	return 1 + headBytes(uint64(len(s))) + len(s)
}
