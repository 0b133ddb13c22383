// Package fleet tells how the workers' replicas do, out of what each says of
// itself at /metrics and /readyz, and what of it needs a person now.
//
//	addresses ─ resolve ─▶ ask each ─▶ scrape ─┬─▶ totals  what was counted since the desk began
//	 (host:port)           (/metrics, /readyz) │      └─▶ history  samples of it, for hour, day, week
//	                                           └─▶ View ─▶ Needs
//
// A host name that resolves to several addresses is all of them, as that of a
// headless Kubernetes service is. Nobody is asked who isn't named. What a replica
// says is believed within limits only: of size, of time and of number.
//
// A replica counts from when its process began. What it had counted before it
// was first asked isn't known to belong to any hour, and is left out; what a
// process counted that began since then is all counted.
package fleet
