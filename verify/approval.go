package verify

const approvalPredicateType = "https://kubepromote.dev/approval/v1"
