package roster

// Ablation switches single rules off. It exists for the simulation alone, which
// shows that each rule is needed by leaving it out; a program never sets it.
type Ablation struct {
	WaitForNobody   bool // R2: Invalidate is done once it is applied at home
	KeepCounting    bool // R2: to stop waiting for a member does not evict it
	CarryNothing    bool // R3
	CompareNothing  bool // R4: a member is counted as soon as it is heard
	RepairNothing   bool // R5: a gap is never asked for
	DropNothing     bool // R5: beyond the log nothing is dropped
	ForgetAtOnce    bool // R6: a gone source is not remembered
	OneIncarnation  bool // R7: a restart passes for the same member
	JoinAtOnce      bool // R9: Join does not wait for the union of the views
	LeaverUncounted bool // R10: a leaver is not waited for
	NeverWake       bool // R11

	HoldNothing      bool // F1: a silent member is not waited for until its lease is over
	CountFromReceipt bool // F2: a lease counts from when the grant came
	NoDrift          bool // F2: clocks are taken for exact
	GrantBlindly     bool // F3: a grant counts before what was shown with it is applied
	FenceNobody      bool // F4
	Unseasoned       bool // F5: whoever has just started counts in a quorum
	TrustNewcomers   bool // F6: a new instance counts at once, and nothing is dropped
	ConfirmAlone     bool // F7: no quorum need confirm
	ConfirmLongAgo   bool // F7: whoever confirmed once counts, however long it has been silent
	EndAtOnce        bool // F8: an operation is done when a quorum has confirmed
}
