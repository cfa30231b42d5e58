# The store's own encryption, besides Lethe's. Of the buckets' region, and no multi-region key: Lethe refuses others.
resource "aws_kms_key" "store" {
  description             = "Lethe: encryption of ${join(" and ", local.buckets)} by the store"
  multi_region            = false
  enable_key_rotation     = true
  deletion_window_in_days = 30
  lifecycle {
    prevent_destroy = true
  }
}

resource "aws_kms_alias" "store" {
  name          = "alias/lethe-${replace(var.bucket, ".", "-")}"
  target_key_id = aws_kms_key.store.key_id
}
