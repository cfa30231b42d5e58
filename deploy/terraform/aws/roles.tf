locals {
  # All of them read what the store has encrypted; verify writes nothing.
  writes_with_kms = setsubtract(keys(var.who_may_assume), ["verify"])
}

resource "aws_iam_role" "this" {
  for_each = var.who_may_assume
  name     = "lethe-${each.key}"
  assume_role_policy = jsonencode({
    Version = "2012-10-17"
    Statement = [{
      Effect    = "Allow"
      Action    = "sts:AssumeRole"
      Principal = { AWS = each.value }
    }]
  })
}

resource "aws_iam_role_policy" "lethe" {
  for_each = aws_iam_role.this
  name     = "lethe"
  role     = each.value.name
  policy   = module.policies.filled[each.key]
}

resource "aws_iam_role_policy" "sse_kms_write" {
  for_each = local.writes_with_kms
  name     = "sse-kms-write"
  role     = aws_iam_role.this[each.key].name
  policy   = module.policies.filled["sse-kms-write"]
}

resource "aws_iam_role_policy" "sse_kms_read" {
  for_each = aws_iam_role.this
  name     = "sse-kms-read"
  role     = each.value.name
  policy   = module.policies.filled["sse-kms-read"]
}
