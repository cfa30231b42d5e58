//! The binary form of arrays (`array_send` and `array_recv` in `arrayfuncs.c`).
//!
//! Number of dimensions, a flag for NULLs, the OID of the elements' type; size and lower bound of each dimension; then the elements,
//! each with its length, -1 for NULL. All numbers have 32 bits and are big-endian.

use super::{Error, MOST_DIMENSIONS};

/// An array in binary form, of which the head has been checked.
#[derive(Clone, Copy)]
pub struct Array<'a> {
    element_type: [u8; 4],
    /// Size and lower bound of each dimension.
    dimensions: &'a [[u8; 8]],
    elements: &'a [u8],
    count: usize,
    len: usize,
}

/// Elements are people's data: only their number is shown.
impl std::fmt::Debug for Array<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Array({} elements)", self.count)
    }
}

impl<'a> Array<'a> {
    /// Reads the head of an array.
    ///
    /// # Errors
    /// [`Error`] if the dimensions are not possible, or do not fit the number of bytes.
    #[inline]
    pub fn read(value: &'a [u8]) -> Result<Self, Error> {
        let size = Error::Size { len: value.len() };
        let (head, rest) = value.split_first_chunk::<12>().ok_or(size)?;
        let [n0, n1, n2, n3, _, _, _, _, element_type @ ..] = *head;
        let found = i32::from_be_bytes([n0, n1, n2, n3]);
        let dimensions = usize::try_from(found)
            .ok()
            .filter(|number| *number <= MOST_DIMENSIONS)
            .ok_or(Error::Dimensions { found })?;
        let (dimensions, elements) = rest.split_at_checked(dimensions * 8).ok_or(size)?;
        let (dimensions, _) = dimensions.as_chunks::<8>();
        let mut count = usize::from(!dimensions.is_empty());
        for [s0, s1, s2, s3, ..] in dimensions {
            let found = i32::from_be_bytes([*s0, *s1, *s2, *s3]);
            let dimension = usize::try_from(found).map_err(|_| size)?;
            count = count.checked_mul(dimension).ok_or(size)?;
        }
        // An element has a length at least.
        if count > elements.len() / 4 || (count == 0 && !elements.is_empty()) {
            return Err(size);
        }
        Ok(Self { element_type, dimensions, elements, count, len: value.len() })
    }

    /// The elements in the order in which they are stored, none for NULL.
    ///
    /// Ends after the first error.
    #[inline]
    pub fn elements(&self) -> impl Iterator<Item = Result<Option<&'a [u8]>, Error>> {
        let (mut rest, mut left, len) = (self.elements, self.count, self.len);
        std::iter::from_fn(move || {
            if left == 0 && rest.is_empty() {
                return None;
            }
            let truncated = Error::Truncated { position: len - rest.len() };
            let taken = left.checked_sub(1).and_then(|fewer| Some((fewer, take(&mut rest)?)));
            match taken {
                Some((fewer, element)) => {
                    left = fewer;
                    Some(Ok(element))
                }
                None => {
                    (rest, left) = (&[], 0);
                    Some(Err(truncated))
                }
            }
        })
    }

    /// The array with other elements in the places of its own. NULLs, dimensions and bounds stay.
    ///
    /// # Errors
    /// [`Error`] if an element is not whole or a new one too long, and those of `with`, which is given each element and its place.
    pub fn map<E: From<Error>>(
        &self,
        mut with: impl FnMut(usize, &[u8]) -> Result<Vec<u8>, E>,
    ) -> Result<Vec<u8>, E> {
        let mut has_null = false;
        let mut written = Vec::with_capacity(self.elements.len());
        for (place, element) in self.elements().enumerate() {
            match element? {
                Some(element) => put(&with(place, element)?, &mut written)?,
                None => {
                    has_null = true;
                    written.extend_from_slice(&(-1_i32).to_be_bytes());
                }
            }
        }
        let mut array = head(self.dimensions.len(), has_null, self.element_type);
        array.extend(self.dimensions.iter().flatten());
        array.extend_from_slice(&written);
        Ok(array)
    }

    /// An array of one dimension, or of none without elements. `element_type` is the OID of their type.
    ///
    /// # Errors
    /// [`Error::Size`] if an element or their number is too large.
    pub fn in_line(element_type: u32, elements: &[Vec<u8>]) -> Result<Vec<u8>, Error> {
        let size = i32::try_from(elements.len()).map_err(|_| Error::Size { len: elements.len() })?;
        let mut array = head(usize::from(size > 0), false, element_type.to_be_bytes());
        if size > 0 {
            array.extend_from_slice(&size.to_be_bytes());
            array.extend_from_slice(&1_i32.to_be_bytes());
        }
        for element in elements {
            put(element, &mut array)?;
        }
        Ok(array)
    }

    /// The array without the elements that are to go.
    ///
    /// # Errors
    /// [`Error::Truncated`] if an element is not whole.
    pub fn without(&self, mut goes: impl FnMut(&[u8]) -> bool) -> Result<Vec<u8>, Error> {
        let in_line = self.dimensions.len() <= 1;
        let (mut kept, mut has_null) = (0_i32, false);
        let mut written = Vec::with_capacity(self.elements.len());
        for element in self.elements() {
            let element = element?;
            let goes = element.is_some_and(&mut goes);
            if goes && in_line {
                continue;
            }
            kept = kept.saturating_add(1);
            match element.filter(|_| !goes) {
                Some(element) => {
                    // It was read with this length.
                    let length = u32::try_from(element.len()).unwrap_or(u32::MAX);
                    written.extend_from_slice(&length.to_be_bytes());
                    written.extend_from_slice(element);
                }
                None => {
                    has_null = true;
                    written.extend_from_slice(&(-1_i32).to_be_bytes());
                }
            }
        }
        let dimensions = if kept == 0 { &[] } else { self.dimensions };
        let mut array = head(dimensions.len(), has_null, self.element_type);
        array.reserve(self.len);
        for [s0, s1, s2, s3, bound @ ..] in dimensions {
            let size = if in_line { kept.to_be_bytes() } else { [*s0, *s1, *s2, *s3] };
            array.extend_from_slice(&size);
            array.extend_from_slice(bound);
        }
        array.extend_from_slice(&written);
        Ok(array)
    }
}

/// What comes before the dimensions, of which there are six at most.
fn head(dimensions: usize, has_null: bool, element_type: [u8; 4]) -> Vec<u8> {
    let mut head = u32::try_from(dimensions).unwrap_or(0).to_be_bytes().to_vec();
    head.extend_from_slice(&u32::from(has_null).to_be_bytes());
    head.extend_from_slice(&element_type);
    head
}

/// Appends an element with its length.
fn put(element: &[u8], array: &mut Vec<u8>) -> Result<(), Error> {
    let length = i32::try_from(element.len()).map_err(|_| Error::Size { len: element.len() })?;
    array.extend_from_slice(&length.to_be_bytes());
    array.extend_from_slice(element);
    Ok(())
}

/// An element with its length; none if that is not possible.
#[inline]
fn take<'a>(rest: &mut &'a [u8]) -> Option<Option<&'a [u8]>> {
    let (length, after) = rest.split_first_chunk::<4>()?;
    match i32::from_be_bytes(*length) {
        -1 => {
            *rest = after;
            Some(None)
        }
        length => {
            let (element, after) = after.split_at_checked(usize::try_from(length).ok()?)?;
            *rest = after;
            Some(Some(element))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Dimensions as size and lower bound.
    fn array(dimensions: &[(i32, i32)], elements: &[Option<&[u8]>]) -> Vec<u8> {
        let has_null = elements.iter().any(Option::is_none);
        let mut bytes = Vec::new();
        for number in [i32::try_from(dimensions.len()).expect("few"), i32::from(has_null), 25] {
            bytes.extend_from_slice(&number.to_be_bytes());
        }
        for (size, bound) in dimensions {
            bytes.extend_from_slice(&size.to_be_bytes());
            bytes.extend_from_slice(&bound.to_be_bytes());
        }
        for element in elements {
            let length = element.map_or(-1, |element| i32::try_from(element.len()).expect("short"));
            bytes.extend_from_slice(&length.to_be_bytes());
            bytes.extend_from_slice(element.unwrap_or_default());
        }
        bytes
    }

    fn without_b(bytes: &[u8]) -> Vec<u8> {
        Array::read(bytes).and_then(|array| array.without(|element| element == b"b")).expect("an array")
    }

    #[test]
    fn elements_are_taken_out_as_array_remove_does() {
        let (a, b, null) = (Some(b"aa".as_slice()), Some(b"b".as_slice()), None);
        assert_eq!(without_b(&array(&[(4, -3)], &[b, a, null, b])), array(&[(2, -3)], &[a, null]));
        assert_eq!(without_b(&array(&[(2, 7)], &[b, b])), array(&[], &[]));
        assert_eq!(without_b(&array(&[], &[])), array(&[], &[]));
        assert_eq!(without_b(&array(&[(1, 1)], &[a])), array(&[(1, 1)], &[a]));
        // It keeps its shape.
        assert_eq!(
            without_b(&array(&[(2, 1), (2, 0)], &[a, b, b, a])),
            array(&[(2, 1), (2, 0)], &[a, null, null, a])
        );
    }

    #[test]
    fn elements_are_replaced_in_their_places() {
        let (a, b, null) = (Some(b"aa".as_slice()), Some(b"b".as_slice()), None);
        let longer =
            |place: usize, element: &[u8]| Ok::<_, Error>([element, place.to_string().as_bytes()].concat());
        let square = array(&[(2, 1), (2, 0)], &[a, b, null, a]);
        let mapped = Array::read(&square).and_then(|array| array.map(longer)).expect("an array");
        let (a0, b1, a3) = (Some(b"aa0".as_slice()), Some(b"b1".as_slice()), Some(b"aa3".as_slice()));
        assert_eq!(mapped, array(&[(2, 1), (2, 0)], &[a0, b1, null, a3]));
        let empty = array(&[], &[]);
        assert_eq!(Array::read(&empty).and_then(|array| array.map(longer)).expect("an array"), empty);
        assert_eq!(Array::in_line(25, &[]), Ok(empty));
        assert_eq!(Array::in_line(25, &[b"aa".to_vec(), b"b".to_vec()]), Ok(array(&[(2, 1)], &[a, b])));
    }

    #[test]
    fn what_is_no_array_is_an_error() {
        let whole = array(&[(2, 1)], &[Some(b"aa"), None]);
        for len in 0..whole.len() {
            let read =
                Array::read(&whole[..len]).and_then(|array| array.elements().collect::<Result<Vec<_>, _>>());
            assert!(read.is_err(), "{len} bytes");
        }
        let more = [whole.as_slice(), b"x"].concat();
        assert!(Array::read(&more).expect("a head").elements().any(|element| element.is_err()));
        for dimensions in [&[(-1, 1)][..], &[(i32::MAX, 1); 6], &[(1, 1); 7], &[(0, 1)]] {
            let refused = Array::read(&array(dimensions, &[Some(b"a")])).is_err();
            assert!(refused, "{dimensions:?}");
        }
    }
}
