package preflight

// Status is what came of one trial. Its text is what people and programs see.
type Status string

const (
	StatusOK      Status = "ok"
	StatusFails   Status = "fails"   // something can't be done
	StatusWarning Status = "warning" // it works, but someone should know
	StatusUnknown Status = "unknown" // it can't be tried
)

// Result is one trial.
type Result struct {
	What    string `json:"what"` // what was tried
	Status  Status `json:"status"`
	Problem string `json:"problem,omitempty"`
	WayOut  string `json:"wayOut,omitempty"` // what mends it
}

func ok(what string) Result { return Result{What: what, Status: StatusOK} }

func fails(what, problem, wayOut string) Result {
	return Result{What: what, Status: StatusFails, Problem: problem, WayOut: wayOut}
}

func unknown(what, why, wayOut string) Result {
	return Result{What: what, Status: StatusUnknown, Problem: why, WayOut: wayOut}
}
