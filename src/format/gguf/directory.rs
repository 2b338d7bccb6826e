//! The tensor directory of a GGUF header.

use std::collections::{BTreeMap, btree_map::Entry};

use super::{
    cursor::{Cursor, Field},
    types::{foreign_name, n_bytes},
    values::read_name,
};
use crate::{
    error::{Error, Result},
    format::{TensorInfo, metadata::Metadata},
    quant::DType,
};

/// `GGML_MAX_DIMS`.
const MOST_DIMS: u32 = 4;
/// A record takes at least the name's length, one byte of name, the number of sizes, a type and an offset.
pub(super) const SMALLEST_RECORD: u64 = 8 + 1 + 4 + 4 + 8;
/// The format's alignment of tensor data where `general.alignment` does not say another.
pub(crate) const DEFAULT_ALIGNMENT: u64 = 32;
/// Beyond a megabyte an alignment is a damaged number.
pub(crate) const LARGEST_ALIGNMENT: u64 = 1 << 20;
pub(crate) const ALIGNMENT_KEY: &str = "general.alignment";

/// Reads `count` records and places them in the data section, which starts after the last.
pub(super) async fn read_tensors(
    cursor: &mut Cursor<'_>,
    count: u64,
    metadata: &Metadata,
    source_index: usize,
) -> Result<BTreeMap<String, TensorInfo>> {
    let alignment = alignment(metadata)?;
    let mut tensors = BTreeMap::new();
    for i in 0..count {
        let record = cursor.position();
        let field = Field::new("tensors").at(i).part("name");
        let name = read_name(cursor, field).await?;
        let tensor = read_record(cursor, &name, alignment, source_index).await?;
        match tensors.entry(name) {
            Entry::Occupied(entry) => {
                return Err(cursor.error(field, record, format!("`{}` appears twice", entry.key())));
            }
            Entry::Vacant(entry) => entry.insert(tensor),
        };
    }
    let data_start = cursor.position().next_multiple_of(alignment);
    place(cursor, &mut tensors, data_start)?;
    Ok(tensors.into_iter().map(|(name, record)| (name, record.info)).collect())
}

/// A tensor, and where the header says its offset.
struct Record {
    info: TensorInfo,
    offset_at: u64,
}

fn alignment(metadata: &Metadata) -> Result<u64> {
    let alignment = metadata.opt_usize(ALIGNMENT_KEY)?.map_or(DEFAULT_ALIGNMENT, |a| a as u64);
    if !alignment.is_power_of_two() || alignment > LARGEST_ALIGNMENT {
        let problem = format!("{alignment} is not a power of two up to {LARGEST_ALIGNMENT}");
        return Err(metadata.error(ALIGNMENT_KEY, problem));
    }
    Ok(alignment)
}

/// What follows a tensor's name. The offset is still relative to the data section.
async fn read_record(cursor: &mut Cursor<'_>, name: &str, alignment: u64, source: usize) -> Result<Record> {
    let field = Field::new(name);
    let at = cursor.position();
    let n_dims = cursor.u32(field.part("n_dims")).await?;
    if n_dims > MOST_DIMS {
        let problem = format!("{n_dims} dimensions, but at most {MOST_DIMS} are allowed");
        return Err(cursor.error(field.part("n_dims"), at, problem));
    }
    let sizes_at = cursor.position();
    let mut sizes = Vec::with_capacity(n_dims as usize);
    for _ in 0..n_dims {
        sizes.push(cursor.u64(field.part("shape")).await?);
    }
    // The file has the fastest first.
    sizes.reverse();
    let id = cursor.u32(field.part("type")).await?;
    let Some(dtype) = DType::from_ggml_id(id) else {
        let found = format!("{} ({id})", foreign_name(id).unwrap_or("unknown"));
        let hint =
            format!("tensor {name} of {} has it: use a file quantized another way", cursor.source().name());
        return Err(Error::unsupported("tensor type", found, hint));
    };
    let wrong = |problem| cursor.error(field.part("shape"), sizes_at, problem);
    let n_bytes = n_bytes(dtype, &sizes).map_err(wrong)?;
    let file_len = cursor.source().len();
    if n_bytes > file_len {
        return Err(wrong(format!(
            "{sizes:?} takes {n_bytes} bytes, more than the whole file has ({file_len}): it is truncated or damaged, \
             get it again"
        )));
    }
    let shape = sizes.iter().map(|&n| usize::try_from(n)).collect::<Result<_, _>>();
    let shape = shape.map_err(|_| wrong(format!("{sizes:?} is too large for this machine")))?;

    let offset_at = cursor.position();
    let offset = cursor.u64(field.part("offset")).await?;
    if !offset.is_multiple_of(alignment) {
        let problem = format!("{offset} is no multiple of the alignment {alignment}");
        return Err(cursor.error(field.part("offset"), offset_at, problem));
    }
    Ok(Record { info: TensorInfo { dtype, shape, source, offset, n_bytes }, offset_at })
}

/// Makes offsets absolute, and checks that every tensor lies inside the file and on no other.
fn place(cursor: &Cursor<'_>, tensors: &mut BTreeMap<String, Record>, data_start: u64) -> Result<()> {
    let file_len = cursor.source().len();
    for (name, Record { info, offset_at }) in tensors.iter_mut() {
        let start = data_start.checked_add(info.offset);
        let end = start.and_then(|start| start.checked_add(info.n_bytes));
        match (start, end) {
            (Some(start), Some(end)) if end <= file_len => info.offset = start,
            _ => {
                let problem = format!(
                    "{} bytes at {} of the data that starts at byte {data_start}, but the file ends at byte {file_len}: \
                     it is truncated or damaged, get it again",
                    info.n_bytes, info.offset
                );
                return Err(cursor.error(Field::new(name).part("offset"), *offset_at, problem));
            }
        }
    }
    let mut order: Vec<_> = tensors.iter().collect();
    order.sort_by_key(|(_, record)| record.info.offset);
    for pair in order.windows(2) {
        let [(before, first), (name, second)] = pair else { unreachable!("windows of two") };
        if first.info.offset + first.info.n_bytes > second.info.offset {
            let problem = format!("its data overlaps that of {before}");
            return Err(cursor.error(Field::new(name).part("offset"), second.offset_at, problem));
        }
    }
    Ok(())
}
