package deployer

// resolverName is the contract that ends COMPUTATIONAL disputes with the outcome of their games. Unless the intent's policy names
// another sender, its alias is the L2's Policy.disputeResolver.
const resolverName = "DisputeResolver"
