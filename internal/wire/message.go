package wire

// message is what every type of message can do. check names the first rule
// that the message breaks; it runs before encoding and after decoding.
type message interface {
	kind() kind
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
	return appendBody(appendHead(dst, m.kind()), m, len(dst))
}

// Decode decodes a message of any type and returns a pointer to it, as Append
// takes it. Of an Answer it returns what DecodeAnswer returns, less the values.
// The error wraps ErrNotOurs, ErrVersion or ErrMalformed. Keys may alias data.
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
		a, err := DecodeAsk(data)
		if err != nil {
			return nil, err
		}
		return a, nil
	case kindAnswer:
		a, _, err := DecodeAnswer(data)
		if err != nil {
			return nil, err
		}
		return a, nil
	default:
		return nil, malformed("unknown %v", k)
	}
	if err := decodeBody(rest, m); err != nil {
		return nil, err
	}
	if err := m.check(); err != nil {
		return nil, err
	}
	return m, nil
}

// DecodeAsk is Decode for a message that must be an Ask.
func DecodeAsk(data []byte) (*Ask, error) {
	rest, err := openAs(data, kindAsk)
	if err != nil {
		return nil, err
	}
	a := new(Ask)
	if err := decodeBody(rest, a); err != nil {
		return nil, err
	}
	if err := a.check(); err != nil {
		return nil, err
	}
	return a, nil
}
