package wire

// message is what every type of message can do.
type message interface {
	kind() kind
	read(*reader)
	// check names the first rule that the message breaks. It runs before
	// encoding and after decoding.
	check() error
}

func (*Beat) kind() kind    { return kindBeat }
func (*Told) kind() kind    { return kindTold }
func (*Confirm) kind() kind { return kindConfirm }
func (*Want) kind() kind    { return kindWant }
func (*Tail) kind() kind    { return kindTail }
func (*Gone) kind() kind    { return kindGone }
func (*Taken) kind() kind   { return kindTaken }
func (*Ask) kind() kind     { return kindAsk }
func (*Answer) kind() kind  { return kindAnswer }

func (m *Beat) read(r *reader)    { r.beat(m) }
func (m *Told) read(r *reader)    { r.told(m) }
func (m *Confirm) read(r *reader) { r.confirm(m) }
func (m *Want) read(r *reader)    { r.want(m) }
func (m *Tail) read(r *reader)    { r.tail(m) }
func (m *Gone) read(r *reader)    { r.gone(m) }
func (m *Taken) read(r *reader)   { r.taken(m) }
func (m *Ask) read(r *reader)     { r.ask(m) }
func (m *Answer) read(r *reader)  { r.answer(m) }

// Append appends the encoding of msg to dst and returns the extended slice.
// msg is a *Beat, *Told, *Confirm, *Want, *Tail, *Gone, *Taken, *Ask, or an
// *Answer whose results have no values; it is not changed. Equal messages have
// equal encodings. When msg breaks a rule of the protocol, Append returns dst
// as it was and an error that wraps ErrMalformed.
func Append(dst []byte, msg any) ([]byte, error) {
	if a, ok := msg.(*Answer); ok {
		return AppendAnswer(dst, a)
	}
	m, ok := msg.(message)
	if !ok {
		return dst, malformed("%T is not a message", msg)
	}
	if err := m.check(); err != nil {
		return dst, err
	}
	out, err := appendBody(appendHead(dst, m.kind()), m)
	if err != nil {
		return dst, err
	}
	return out, nil
}

// Decode decodes a message of any type and returns a pointer to it, as Append
// takes it. Of an Answer it returns what DecodeAnswer returns, less the values.
// The error wraps ErrNotOurs, ErrVersion or ErrMalformed. Keys alias data.
func Decode(data []byte) (any, error) {
	k, rest, err := open(data)
	if err != nil {
		return nil, err
	}
	var m message
	switch k {
	case kindBeat:
		m = new(Beat)
	case kindTold:
		m = new(Told)
	case kindConfirm:
		m = new(Confirm)
	case kindWant:
		m = new(Want)
	case kindTail:
		m = new(Tail)
	case kindGone:
		m = new(Gone)
	case kindTaken:
		m = new(Taken)
	case kindAsk:
		m = new(Ask)
	case kindAnswer:
		a, _, err := DecodeAnswer(data)
		if err != nil {
			return nil, err // not a, which would make an interface that is not nil
		}
		return a, nil
	default:
		return nil, malformed("unknown %v", k)
	}
	if err := decodeBody(rest, m); err != nil {
		return nil, err
	}
	return m, nil
}

// DecodeAsk is Decode for a message that must be an Ask.
func DecodeAsk(data []byte) (*Ask, error) {
	a := new(Ask)
	if err := DecodeAskInto(a, data); err != nil {
		return nil, err
	}
	return a, nil
}

// DecodeAskInto is DecodeAsk into an Ask that has been used before: the memory of its
// Questions is used again. After an error a holds nothing of use.
func DecodeAskInto(a *Ask, data []byte) error {
	*a = Ask{Questions: a.Questions[:0]}
	rest, err := openAs(data, kindAsk)
	if err != nil {
		return err
	}
	return decodeBody(rest, a)
}

// decodeBody decodes the one item that data consists of into m and checks it.
func decodeBody(data []byte, m message) error {
	r := reader{data: data}
	m.read(&r)
	if r.err == nil && len(r.data) > 0 {
		r.fail("%d bytes after its end", len(r.data))
	}
	if r.err != nil {
		return r.err
	}
	return m.check()
}
