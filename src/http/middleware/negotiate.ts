/** What the caller can read: media types and compression, from `Accept` and `Accept-Encoding`. */

interface Offer {
  readonly value: string;
  readonly quality: number;
}

/** True when `accept` admits one of the media types; an absent header admits all [HT-13]. */
export function acceptsAny(accept: string | null, offers: readonly string[]): boolean {
  if (accept === null || accept === '*/*' || offers.includes(accept)) return true;
  const wanted = parseOffers(accept);
  return offers.some((offer) => {
    const family = `${offer.slice(0, offer.indexOf('/'))}/*`;
    const rule =
      wanted.find((item) => item.value === offer) ??
      wanted.find((item) => item.value === family) ??
      wanted.find((item) => item.value === '*/*');
    return rule !== undefined && rule.quality > 0;
  });
}

/** True when the caller names gzip (or any coding) and does not refuse it. */
export function acceptsGzip(acceptEncoding: string | null): boolean {
  if (acceptEncoding === null) return false;
  const wanted = parseOffers(acceptEncoding);
  const rule =
    wanted.find((item) => item.value === 'gzip') ?? wanted.find((item) => item.value === '*');
  return rule !== undefined && rule.quality > 0;
}

function parseOffers(header: string): readonly Offer[] {
  return header.split(',').map((part) => {
    const [value = '', ...parameters] = part.split(';').map((piece) => piece.trim().toLowerCase());
    const weight = parameters.find((parameter) => parameter.startsWith('q='));
    const quality = weight === undefined ? 1 : Number(weight.slice(2));
    return { value, quality: Number.isNaN(quality) ? 0 : quality };
  });
}
