package verify

const vsaPredicateType = "https://slsa.dev/verification_summary/v1"
