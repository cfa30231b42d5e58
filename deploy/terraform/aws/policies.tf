locals {
  values = {
    account       = var.account
    region        = var.region
    partition     = var.partition
    bucket        = var.bucket
    prefix        = var.prefix
    ledger_bucket = local.ledger_bucket
    ledger_prefix = local.ledger_prefix
    break_glass   = var.break_glass
    kms_key       = aws_kms_key.store.arn
  }
}

module "policies" {
  source = "../policies"
  templates = setunion(
    keys(var.who_may_assume),
    ["lifecycle", "sse-kms-read", "sse-kms-write", "bucket-policy", "bucket-policy-data", "bucket-policy-ledger"],
  )
  values = local.values
}

# A bucket's policy may speak of that bucket alone, so each has its own.
module "kms_statement" {
  source    = "../policies"
  for_each  = local.buckets
  templates = ["bucket-policy-kms"]
  values = merge(local.values, {
    bucket        = each.key
    prefix        = each.key == var.bucket ? var.prefix : local.ledger_prefix
    ledger_bucket = each.key
    ledger_prefix = each.key == local.ledger_bucket ? local.ledger_prefix : var.prefix
  })
}
